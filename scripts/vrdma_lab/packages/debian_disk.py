# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Disks of virtual machines with a clean Debian: its own kernel and initramfs, systemd, network.

A disk has no boot loader: QEMU gets the kernel and the initramfs as files beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.image.agent_service import DiskFile, agent_files
from vrdma_lab.machine.agent import compile_agent
from vrdma_lab.packages.clean_debian import CleanDebian, make_base
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.packages import as_root
from vrdma_lab.setup.runner import Runner

_PACKAGES = ("systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2",
             "e2fsprogs", "zstd")
# What the initramfs needs to find the root. A smaller one is there sooner under TCG.
_BOOT_MODULES = "virtio_pci\nvirtio_blk\next4\n"
# Two machines of one disk have one machine-id: by their MAC addresses they get leases of their own.
_NETWORK = """[Match]
Name=e*
[Network]
DHCP=ipv4
IPv6AcceptRA=no
[DHCPv4]
ClientIdentifier=mac
"""
# The name server of QEMU's user network.
_RESOLVER = "nameserver 10.0.2.3\n"
_FILES = (
    DiskFile("/etc/initramfs-tools/conf.d/vrdma-lab", b"MODULES=list\n"),
    DiskFile("/etc/initramfs-tools/modules", _BOOT_MODULES.encode()),
    DiskFile("/etc/systemd/network/lab.network", _NETWORK.encode()),
    DiskFile("/etc/resolv.conf", _RESOLVER.encode()),
    DiskFile("/etc/hosts", b"127.0.0.1 localhost\n"),
)


@dataclass(frozen=True)
class DebianDisk:
    """A disk, and what it is booted with."""

    image: Path  # an ext4 file system
    kernel: Path
    initramfs: Path


def make_disk_base(runner: Runner, suite: str, name: str, packages: Iterable[str]) -> Path:
    """The folder of a Debian that boots, with some packages; made once for each kernel of Debian's.

    The mirror has the headers of the newest kernel alone.
    """
    kernel = Apt(runner).dependency(suite, "linux-image-amd64", r"linux-image-.*-amd64")
    return make_base(runner, suite, name, (*_PACKAGES, kernel, *packages))


def kernel_release(debian: CleanDebian) -> str:
    """What `uname -r` says when the Debian has booted."""
    (kernel,) = (debian.root / "boot").glob("vmlinuz-*")
    return kernel.name.removeprefix("vmlinuz-")


def add_files(runner: Runner, debian: CleanDebian, files: Iterable[DiskFile], work: Path) -> None:
    """Writes files into a Debian; `work` is a folder for this time."""
    for file in files:
        source = work / "file"
        source.write_bytes(file.content)
        place = debian.root / file.path.lstrip("/")
        runner.run(as_root(["install", "-D", "-m", f"{file.mode:o}", source, place]))


def write_disk(
    runner: Runner, debian: CleanDebian, name: str, folder: Path, gib: int
) -> DebianDisk:
    """Makes a disk of a Debian, with the lab's agent as a service, in an empty folder.

    The machine's name is `name`, and its size `gib`; the file is sparse.
    """
    agent = compile_agent(folder).read_bytes()
    files = (*_FILES, DiskFile("/etc/hostname", f"{name}\n".encode()), *agent_files(agent))
    add_files(runner, debian, files, folder)
    debian.run("systemctl", "enable", "systemd-networkd")
    release = kernel_release(debian)
    debian.run("update-initramfs", "-c", "-k", release)
    disk = DebianDisk(*(folder / part for part in ("image", "kernel", "initramfs")))
    boot = debian.root / "boot"
    for name, copy in (("vmlinuz", disk.kernel), ("initrd.img", disk.initramfs)):
        runner.run(as_root(["cp", boot / f"{name}-{release}", copy]))
    write_file_system(runner, debian.root, disk.image, gib)
    runner.run(as_root(["chown", f"{os.getuid()}:{os.getgid()}", disk.kernel, disk.initramfs]))
    return disk


def write_file_system(runner: Runner, tree: Path, image: Path, gib: int) -> None:
    """Makes an ext4 file system of a folder; the file is sparse."""
    options = ("-q", "-O", "^has_journal", "-m", "0", "-d", tree)
    make = ("env", f"PATH={paths.sbin_path()}", "mkfs.ext4", *options, image, f"{gib}G")
    runner.run(as_root([*make]))
    runner.run(as_root(["chown", f"{os.getuid()}:{os.getgid()}", image]))
