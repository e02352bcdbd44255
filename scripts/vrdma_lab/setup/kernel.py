# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The guests' kernels: Debian's 6.1 and 6.12, unpacked in the cache.

The headers match each kernel to the letter, so that nothing has to be installed on the machine. A
kernel's folder has:

    release    the release, as uname -r says it
    tree       the packages, unpacked
    build      the folder that make -C takes for a module
    vmlinux    the kernel, decompressed: QEMU starts it by PVH, seconds faster under TCG
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.driver import build_driver
from vrdma_lab.setup.runner import Runner, Steps

SUITES = {"6.1": "bookworm", "6.12": "bookworm-backports"}

_ELF = b"\x7fELF"
# The magic that each compressor's output begins with.
_DECOMPRESSORS = {"unxz": b"\xfd7zXZ\x00", "unzstd": b"\x28\xb5\x2f\xfd"}


def prepare_kernel(steps: Steps, series: str) -> None:
    """Fetches a guest kernel unless it is there, and builds the driver for it."""
    with steps.step(f"Guest kernel {series}", f"kernel-{series}") as runner:
        cache.make_once(paths.kernel_folder(series), lambda folder: _unpack(runner, series, folder))
    build_driver(steps, paths.Kernel.find(series))


def _unpack(runner: Runner, series: str, folder: Path) -> None:
    suite, apt = SUITES[series], Apt(runner)
    image = apt.dependency(suite, "linux-image-amd64", r"linux-image-.*-amd64")
    release = image.removeprefix("linux-image-")
    headers = f"linux-headers-{release}"
    common = apt.dependency(suite, headers, r"linux-headers-.*-common.*")
    kbuild = apt.dependency(suite, headers, r"linux-kbuild-.*")
    runner.say(f"Fetching the guest kernel {release} (Debian {suite})")
    tree = folder / "tree"
    tree.mkdir()
    for package in apt.download(suite, folder / "debs", (image, headers, common, kbuild)):
        runner.run(["dpkg-deb", "-x", package, tree])
    shutil.rmtree(folder / "debs")
    _relocate(tree, release)
    runner.run(["depmod", "-b", tree, release])
    (folder / "vmlinux").write_bytes(
        decompressed((tree / "boot" / f"vmlinuz-{release}").read_bytes())
    )
    (folder / "build").symlink_to(f"tree/usr/src/{headers}")
    (folder / "release").write_text(f"{release}\n")


def _relocate(tree: Path, release: str) -> None:
    """Makes the headers, which refer to each other by absolute paths below /usr, refer to the tree.

    Without the vmlinux that 6.12 brings along, modules are built without BTF, which needs pahole
    and serves only tracing.
    """
    sources = tree / "usr" / "src"
    headers = sources / f"linux-headers-{release}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{sources}/"))
    (headers / "vmlinux").unlink(missing_ok=True)
    for parent, folders, files in os.walk(sources):
        for name in (*folders, *files):
            link = Path(parent) / name
            if link.is_symlink() and os.readlink(link).startswith("/usr/"):
                target = f"{tree}{os.readlink(link)}"
                link.unlink()
                link.symlink_to(target)


def decompressed(image: bytes) -> bytes:
    """The kernel in a bzImage, which has it somewhere behind its own code."""
    for tool, magic in _DECOMPRESSORS.items():
        offset = image.find(magic)
        while offset >= 0:
            # The decompressor complains about the bytes after the kernel, and has written the
            # kernel by then.
            output = subprocess.run([tool, "-c"], input=image[offset:], capture_output=True).stdout
            if output.startswith(_ELF):
                return output
            offset = image.find(magic, offset + 1)
    raise LabError("the kernel is compressed in a way that is not known here")
