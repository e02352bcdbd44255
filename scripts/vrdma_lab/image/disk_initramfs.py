# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The initramfs of guests whose root is a disk with a distribution and its systemd.

It puts on the disk what a guest's kernel and this lab bring: the modules, vrdma.ko where DKMS
installs it, the guest's name and address, and the agent as a service of its port. Nothing here
loads a driver of RDMA: udev finds the device by its alias, as on a user's machine.
"""

from __future__ import annotations

from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.image.agent_service import agent_files
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.initramfs import stripped_module
from vrdma_lab.image.module_tree import add_module_tree
from vrdma_lab.image.switch_root import FIRST_STEPS, write_beginning
from vrdma_lab.machine.agent import compile_agent
from vrdma_lab.paths import Kernel

# What the disk itself needs. Everything else is udev's to load.
_BOOT_MODULES = ("virtio_pci", "virtio_blk", "ext4")
# The tree has what the devices of guests and systemd's services need, and what rdma-core loads for
# an RDMA device (/etc/rdma/modules).
_TREE_MODULES = (
    *("virtio_pci", "virtio_blk", "ext4", "virtio_net", "virtio_console"),
    *("autofs4", "binfmt_misc"),
    *("ib_uverbs", "rdma_ucm", "ib_umad", "ib_iser", "rpcrdma"),
)
# Lists of the kernel's own, which depmod reads.
_LISTS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")

_FILES = "/disk"
_SYSTEMD = f"{_FILES}/etc/systemd"

_INIT = f"""{FIRST_STEPS}until [ -b /dev/vda ]; do usleep 10000; done
mount -t ext4 /dev/vda /root || fail "no disk"
cp -a {_FILES}/. /root || fail "the disk is full"
for word in $(cat /proc/cmdline); do
    case $word in
    vrdma.name=*) echo "${{word#*=}}" > /root/etc/hostname ;;
    vrdma.address=*) echo "Address=${{word#*=}}" >> /root/etc/systemd/network/lab.network ;;
    esac
done
chroot /root depmod || fail "depmod does not end well"
umount /proc /sys /dev
exec switch_root /root /sbin/init
"""


def build_disk_initramfs(path: Path, kernel: Kernel, driver: Path) -> None:
    """Writes the initramfs for this kernel, with vrdma.ko for the disk."""
    if not driver.exists():
        raise LabError(f"the guest driver {driver} is not built")
    archive = CpioWriter(path)
    write_beginning(archive, kernel, _BOOT_MODULES)
    _add_modules(archive, kernel, stripped_module(driver, path.parent))
    _add_files(archive, compile_agent(path.parent).read_bytes())
    archive.file("/init", _INIT.encode(), 0o755)
    archive.close()


def _add_modules(archive: CpioWriter, kernel: Kernel, driver: bytes) -> None:
    """Adds what goes to the disk's /usr/lib/modules; depmod's lists are made on the disk."""
    top = f"{_FILES}/usr"
    add_module_tree(archive, kernel, _TREE_MODULES, top)
    folder = f"{top}/lib/modules/{kernel.release}"
    for name in _LISTS:
        archive.file(
            f"{folder}/{name}",
            (kernel.tree / "lib" / "modules" / kernel.release / name).read_bytes(),
        )
    archive.file(f"{folder}/updates/dkms/vrdma.ko", driver)


def _add_files(archive: CpioWriter, agent: bytes) -> None:
    """Adds the agent, and the beginning of the network's configuration."""
    for file in agent_files(agent):
        archive.file(f"{_FILES}{file.path}", file.content, file.mode)
    archive.file(f"{_SYSTEMD}/network/lab.network", b"[Match]\nName=e*\n[Network]\n")
    archive.link(
        f"{_SYSTEMD}/system/multi-user.target.wants/systemd-networkd.service",
        "/lib/systemd/system/systemd-networkd.service",
    )
