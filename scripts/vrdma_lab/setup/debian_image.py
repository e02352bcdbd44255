# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A disk with Debian 12 as debootstrap installs it: systemd, udev, rdma-core, and RDMA programs.

Its folder in the cache has:

    image    an ext4 file system without a kernel; guests get the kernel's modules as they boot
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import mirror
from vrdma_lab.setup.packages import as_root
from vrdma_lab.setup.runner import Command, Runner, Steps

_SUITE = "bookworm"
_PACKAGES = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2"),
    *("rdma-core", "ibverbs-providers", "ibverbs-utils", "rdmacm-utils", "perftest"),
    # Programs that stand on RDMA: fio, and a test of Open MPI, which starts its parts by ssh.
    *("fio", "netpipe-openmpi", "openssh-server", "openssh-client"),
)
# The file is sparse; the guests' own writes never reach it.
_SIZE = "2G"
# What no test reads, and what apt has left behind.
_NEEDLESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt")


def prepare_debian_image(steps: Steps) -> None:
    """Makes the disk, unless it is there."""
    with steps.step("Debian 12 with systemd and rdma-core for guests", "debian-image") as runner:
        folder = paths.debian_image().parent
        cache.make_once(folder, lambda empty: _make(runner, empty), _recipe())


def _recipe() -> str:
    """A digest of this file, so that the disk is made again when it changes."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def _make(runner: Runner, folder: Path) -> None:
    root, image = folder / "root", folder / "image"
    runner.retry(lambda: _install(runner, root))
    runner.run(as_root(["rm", "-rf", *(root / each for each in _NEEDLESS)]))
    options = ("-q", "-O", "^has_journal", "-m", "0")
    runner.run(_found("mkfs.ext4", *options, "-d", root, image, _SIZE))
    runner.run(as_root(["chown", f"{os.getuid()}:{os.getgid()}", image]))
    runner.run(as_root(["rm", "-rf", root]))


def _install(runner: Runner, root: Path) -> None:
    """Installs Debian into a folder, from nothing."""
    runner.run(as_root(["rm", "-rf", root]))
    options = ("--variant=minbase", f"--include={','.join(_PACKAGES)}")
    runner.run(_found("debootstrap", *options, _SUITE, root, mirror()))


def _found(*command: str | Path) -> Command:
    """A command of root's, whose folder not every user has in PATH."""
    return as_root(["env", f"PATH={paths.sbin_path()}", *command])
