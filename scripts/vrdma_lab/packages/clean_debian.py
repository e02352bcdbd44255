# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Clean Debians: what mmdebstrap makes once, and copies of it that are thrown away.

A copy is an overlay, so that it costs nothing.  Its programs run as root in namespaces of their
own, without a network unless they ask for one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import mirror
from vrdma_lab.setup.packages import as_root
from vrdma_lab.setup.runner import Command, Runner

SUITES = ("bookworm", "trixie")

# Inside the new mount namespace; $0 is the root folder, $1 the folder to work in.  Pairs of folders
# follow, of this machine and inside, up to the word --; then comes the command.
_ENTER = """\
set -e
root=$0 folder=$1
shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
while [ "$1" != -- ]; do
    mount --bind "$1" "$root$2"
    shift 2
done
shift
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""
_ENVIRONMENT = (
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
    "DEBIAN_FRONTEND=noninteractive",
)


class CleanDebian:
    """A copy of a Debian."""

    def __init__(self, runner: Runner, root: Path, shared: Mapping[Path, str]) -> None:
        self._runner = runner
        self._shared = [str(word) for pair in shared.items() for word in pair]
        self.root = root

    def run(self, *command: str | Path, folder: str = "/", network: bool = False) -> None:
        """Runs a program that must succeed."""
        self._runner.run(self._entered(command, folder, network))

    def read(self, *command: str | Path, folder: str = "/") -> str:
        """The output of a program that must succeed."""
        return self._runner.read(self._entered(command, folder, False))

    def install(self, packages: Iterable[str | Path]) -> None:
        """Installs packages of Debian's by name, or .deb files by their path inside."""
        wanted = list(packages)

        def act() -> None:
            # mmdebstrap leaves no lists, and they would be old.
            self.run("apt-get", "-q", "update", network=True)
            self.run(*("apt-get", "-q", "-y", "--no-install-recommends", "install"), *wanted,
                     network=True)

        self._runner.retry(act)

    def put(self, *files: Path, folder: str = "/") -> None:
        """Copies files and folders of this machine into a folder of the copy."""
        place = self.root / folder.lstrip("/")
        self._runner.run(as_root(["mkdir", "-p", place]))
        self._runner.run(as_root(["cp", "-a", "--no-preserve=ownership", *files, place]))

    def _entered(self, command: Command, folder: str, network: bool) -> list[str | Path]:
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts"]
        if not network:
            apart.append("--net")
        environment = ["env", "-i", *_ENVIRONMENT]
        words = [str(self.root), folder, *self._shared, "--"]
        return as_root([*environment, *apart, "sh", "-c", _ENTER, *words, *command])


def make_base(runner: Runner, suite: str, name: str, packages: Iterable[str]) -> Path:
    """The folder of a Debian with some packages, made once."""
    words = " ".join(packages)
    folder = paths.cache() / "clean-debians" / f"{suite}-{name}"

    def make(empty: Path) -> None:
        runner.retry(lambda: _debootstrap(runner, suite, empty / "root", words))

    cache.make_once(folder, make, recipe=f"{mirror()} {words}")
    return folder / "root"


def _debootstrap(runner: Runner, suite: str, root: Path, packages: str) -> None:
    runner.run(as_root(["rm", "-rf", root]))
    options = ("--mode=root", "--variant=apt", f"--include={','.join(packages.split())}")
    # Who boots a kernel that is among the packages makes the initramfs for it (debian_disk.py).
    runner.run(as_root(["env", "INITRD=No", "mmdebstrap", *options, suite, root, mirror()]))
    # The names of hosts, for programs that fetch packages.
    runner.run(as_root(["cp", "/etc/resolv.conf", root / "etc/resolv.conf"]))


@contextmanager
def copy_of(
    runner: Runner, base: Path, shared: Mapping[Path, str] | None = None
) -> Iterator[CleanDebian]:
    """A copy of a Debian, which ends with the block.

    `shared` has folders of this machine that its programs see and change, with their paths inside.
    """
    shared = shared or {}
    # Below the cache, since an overlay does not lie on another one or on every file system.
    folder = Path(tempfile.mkdtemp(prefix="copy-", dir=base.parent.parent))
    places = {name: folder / name for name in ("changes", "work", "root")}
    for place in places.values():
        place.mkdir()
    layers = f"lowerdir={base},upperdir={places['changes']},workdir={places['work']}"
    mounted = False
    try:
        runner.run(as_root(["mount", "-t", "overlay", "overlay", "-o", layers, places["root"]]))
        mounted = True
        for inside in shared.values():
            runner.run(as_root(["mkdir", "-p", places["root"] / inside.lstrip("/")]))
        yield CleanDebian(runner, places["root"], shared)
    finally:
        if mounted:
            runner.run(as_root(["umount", places["root"]]))
        runner.run(as_root(["rm", "-rf", folder]))
