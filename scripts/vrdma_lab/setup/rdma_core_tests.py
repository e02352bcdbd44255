# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The tests of rdma-core as Debian ships them with python3-pyverbs.

Each version is in a root tree of its Debian suite, with everything that it needs. Its folder in the
cache has:

    root         the tree, the tests in /conformance
    root.cpio    the same, below /conformance-root, to be appended to an initramfs
    version      Debian's version of the package
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.image.root_tree import write_archive
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.runner import Command, Runner, Steps

SUITES = {"44": "bookworm", "56": "trixie"}

_COMMON_PACKAGES = (
    "python3-pyverbs libibverbs1 ibverbs-providers libnl-3-200 libnl-route-3-200 libc6 libgcc-s1 "
    "zlib1g libffi8 libmnl0 libbpf1 libcap2 libbsd0 libmd0 iproute2 busybox-static libexpat1"
)
_PACKAGES = {
    "44": (
        "python3.11-minimal libpython3.11 libpython3.11-minimal libpython3.11-stdlib librdmacm1 "
        "libelf1"
    ),
    "56": (
        "python3.13-minimal libpython3.13 libpython3.13-minimal libpython3.13-stdlib "
        "librdmacm1t64 libelf1t64 libzstd1 libselinux1 libpcre2-8-0"
    ),
}
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_EMPTY_FOLDERS = ("dev", "proc", "sys", "tmp", "run", "root")
_MERGED_FOLDERS = ("bin", "sbin", "lib", "lib64")
# The tests need none of these: patterns of paths, whose last part stands for each of some names.
_NEEDLESS = {
    "usr/share/{}": "doc man locale bash-completion lintian",
    "usr/lib/x86_64-linux-gnu/{}": "gconv tc",
    "usr/lib/python3.*/{}": "idlelib test turtledemo pydoc_data ensurepip lib2to3",
    "usr/lib/python3.*/lib-dynload/{}.*": (
        "_ssl _hashlib _dbm _gdbm _curses _curses_panel readline nis _sqlite3 _bz2 _lzma _uuid "
        "_crypt"
    ),
    "usr/*bin/{}": ("tc ss bridge dcb vdpa tipc rtacct rtmon lnstat nstat ctstat rtstat arpd"),
}
_BUSYBOX_TOOLS = ("sh", "ls", "cat", "env", "mount")


def prepare_rdma_core_tests(steps: Steps, version: str) -> None:
    """Makes the tree of a version of the tests, unless it is there."""
    with steps.step(f"rdma-core's tests, version {version}", f"conformance-{version}") as runner:
        folder = paths.cache() / "conformance" / version
        cache.make_once(folder, lambda empty: _make(runner, version, empty), _recipe())


def _recipe() -> str:
    """A digest of this file, so that trees are made again when it changes."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _make(runner: Runner, version: str, folder: Path) -> None:
    root = folder / "root"
    packages = f"{_COMMON_PACKAGES} {_PACKAGES[version]}".split()
    debs = Apt(runner).download(SUITES[version], folder / "debs", packages)
    _unpack(runner, debs, root)
    (pyverbs,) = (deb for deb in debs if deb.name.startswith("python3-pyverbs_"))
    (folder / "version").write_text(runner.read(["dpkg-deb", "-f", pyverbs, "Version"]))
    shutil.rmtree(folder / "debs")
    _place_tests(root)
    _remove_needless(root)
    for tool in _BUSYBOX_TOOLS:
        (root / "usr" / "bin" / tool).symlink_to("busybox")
    missing = _missing_libraries(runner, root)
    if missing:
        raise LabError(f"{root} needs more libraries: {' '.join(missing)}")
    _compile(runner, root)
    write_archive(root, "conformance-root", folder / "root.cpio")


def _unpack(runner: Runner, debs: Iterable[Path], root: Path) -> None:
    for name in _EMPTY_FOLDERS:
        (root / name).mkdir(parents=True)
    for name in _MERGED_FOLDERS:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for deb in debs:
        tar: Command = ["tar", "-x", "-C", root, "--no-same-owner", "--keep-directory-symlink"]
        runner.pipe(["dpkg-deb", "--fsys-tarfile", deb], tar)


def _place_tests(root: Path) -> None:
    """Puts the tests where they are run, and decompresses them.

    Debian compresses all documentation above 4 KiB.
    """
    tests = root / "conformance" / "tests"
    tests.parent.mkdir()
    (root / "usr/share/doc/rdma-core/tests").rename(tests)
    for compressed in tests.rglob("*.gz"):
        compressed.with_suffix("").write_bytes(gzip.decompress(compressed.read_bytes()))
        compressed.unlink()


def needless(root: Path) -> list[Path]:
    """The files and folders of the tree that the tests do not need, dangling links included."""
    found = []
    for pattern, names in _NEEDLESS.items():
        folders, last = pattern.rsplit("/", 1)
        patterns = [last.format(name) for name in names.split()]
        for folder in root.glob(folders):
            entries = sorted(folder.iterdir())
            found += [entry for entry in entries if any(map(entry.match, patterns))]
    return found


def _remove_needless(root: Path) -> None:
    for path in needless(root):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _missing_libraries(runner: Runner, root: Path) -> list[str]:
    """Libraries that programs of the tree need, and that are not in it."""
    folders = (root / "usr" / "bin", root / "usr" / "lib" / "python3", root / _LIBRARIES)
    files = [
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file()
        and not file.is_symlink()
        and (os.access(file, os.X_OK) or ".so" in file.name)
    ]
    binaries = [file for file in files if _is_elf(file)]
    shown = runner.read(["readelf", "-d", *binaries])
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", shown))
    return sorted(name for name in needed if not (root / _LIBRARIES / name).exists())


def _is_elf(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _compile(runner: Runner, root: Path) -> None:
    """Compiles all Python of the tree.

    A guest that compiles on each start would be slow, and a file system without times must not make
    Python think that it has to.
    """
    (python,) = (root / "usr" / "bin").glob("python3.1?")
    loader: Command = [root / "lib64" / "ld-linux-x86-64.so.2", "--library-path", root / _LIBRARIES]
    compile_all = "-m compileall -q --invalidation-mode unchecked-hash -s".split()
    folders = (
        root / "usr" / "lib" / python.name,
        root / "usr" / "lib" / "python3",
        root / "conformance",
    )
    runner.run(["env", f"PYTHONHOME={root}/usr", *loader, python, *compile_all, root, *folders])
    (root / "usr" / "bin" / "python3").symlink_to(python.name)
