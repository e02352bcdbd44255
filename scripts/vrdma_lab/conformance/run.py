# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs rdma-core's tests on one side: a guest, or the RDMA host itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.host.rdma_host import in_host_vm
from vrdma_lab.lab.lab import Lab
from vrdma_lab.machine.side import Side
from vrdma_lab.vm.guest import Guest, GuestOptions

# The runner, and what it imports.
_LAB = paths.SOURCE / "scripts"
RUNNER = paths.SOURCE / "tests" / "conformance" / "runner.py"
PARTS = ("vrdma_lab/errors.py", "vrdma_lab/machine/progress.py")
GUEST_ROOT = Path("/conformance-root")
# A guest has the tree in its memory; to unpack it takes a while on a busy machine.
GUEST_MEMORY_MIB = 1024
BOOT_LIMIT = 400.0
# Seconds in which nothing moves that a test has.
PATIENCE = 60
HUGE_PAGES = 16

Line = dict[str, Any]


@dataclass(frozen=True)
class Version:
    """A version of the tests, with the kernel of the guests that run it."""

    name: str
    kernel: str

    @property
    def folder(self) -> Path:
        """The version's folder in the cache."""
        return paths.cache() / "conformance" / self.name

    @property
    def archive(self) -> Path:
        """The archive that is appended to a guest's initramfs."""
        return self.folder / "root.cpio"


# Debian 12's version runs on Debian 12's kernel, and Debian 13's on Debian 13's.
VERSIONS = {version.name: version for version in (Version("44", "6.1"), Version("56", "6.12"))}


def boot(lab: Lab, version: Version) -> Guest:
    """Boots a guest with the tree in it and its device ready."""
    guest = lab.launch(1, GuestOptions(memory_mib=GUEST_MEMORY_MIB, archive=version.archive))
    guest.wait_booted(BOOT_LIMIT)
    guest.wait_device(BOOT_LIMIT)
    return guest


def run(side: Side, version: Version, address: str, pattern: str = "") -> list[Line]:
    """Runs the tests with the GID made from an address; the runner's lines."""
    root = version.folder / "root" if side.native else GUEST_ROOT
    options = f"--dev {side.device} --port 1 --gid {side.gid_index(address)}"
    # The host may be a machine that is not ours: the mounts vanish with their namespace.
    begin = "exec unshare --mount --propagation private sh" if side.native else "exec sh"
    # Huge pages are not taken from a machine that is not ours.
    takes_pages = not side.native or in_host_vm()
    pages = f"echo {HUGE_PAGES} > /proc/sys/vm/nr_hugepages\n" if takes_pages else ""
    script = (
        f"{begin} -e <<'END_OF_SCRIPT'\n{pages}{_script(root, options, pattern)}END_OF_SCRIPT\n"
    )
    job = side.start(script)
    outcome = job.wait_through()
    lines = outcome.output.splitlines()
    try:
        decoded: list[Line] = [json.loads(line) for line in lines if line.startswith("{")]
    except ValueError as error:
        raise LabError(side.channel.report(f"the runner wrote no JSON: {error}", job)) from None
    if not outcome.ok or not decoded:
        raise LabError(side.channel.report(f"status {outcome.status} from the runner", job))
    return decoded


def _script(root: Path, options: str, pattern: str) -> str:
    """Commands that run the runner in the tree, with these options of the tests."""
    runner = "python3 /tmp/runner.py --tests /conformance/tests"
    parts = "\n".join(_file(f"{root}/tmp/{part}", _LAB / part) for part in PARTS)
    return f"""\
for each in dev proc sys; do mount -o rbind "/$each" "{root}/$each"; done
mount -t tmpfs tmp {root}/tmp
{_file(f"{root}/tmp/runner.py", RUNNER)}
mkdir -p {root}/tmp/vrdma_lab/machine
{parts}
cat > {root}/tmp/filter <<'END_OF_FILTER'
{pattern}
END_OF_FILTER
exec chroot {root} /bin/env -i PATH=/usr/sbin:/usr/bin HOME=/root PYTHONFAULTHANDLER=1 \\
    {runner} --filter-file /tmp/filter --patience {PATIENCE} -- {options} < /dev/null
"""


def _file(path: str, source: Path) -> str:
    """A command that writes a copy of a text."""
    return f"cat > {path} <<'END_OF_FILE'\n{source.read_text()}END_OF_FILE"
