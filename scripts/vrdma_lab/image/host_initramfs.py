# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The initramfs of host VMs: their modules, and an init that makes this machine's files theirs.

A host VM sees this machine's files through 9p, read-only, below an overlay whose upper half is its
memory. Programs run as if they were installed there, and nothing that they write comes out, but for
one shared folder.
"""

from __future__ import annotations

from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.switch_root import FIRST_STEPS, write_beginning
from vrdma_lab.machine.agent import AGENT_PORT
from vrdma_lab.paths import Kernel

ROOT_TAG = "vrdma.root"
SHARE_TAG = "vrdma.share"
# The shared folder as the host VM knows it.
SHARE = Path("/run/vrdma-share")
# A file system of large pages for the memory of guests. With small ones a guest boots a third
# longer: each first access to a page costs an exit of a processor that is emulated.
GUEST_MEMORY = Path("/run/vrdma-guests")

# rxe computes its checksums by crc32, and by the processor's instructions for it if that module is
# there before rxe.
MODULES = (
    *("virtio_pci", "virtio_console", "virtio_net", "9p", "9pnet_virtio", "overlay"),
    *("crc32c_generic", "crc32_generic", "crc32c_intel", "crc32_pclmul"),
    *("kvm_amd", "tun", "bridge", "rdma_ucm", "ib_uverbs", "rdma_rxe"),
)

_9P_OPTIONS = "trans=virtio,version=9p2000.L,msize=524288"

_INIT = f"""{FIRST_STEPS}export HOME=/root TERM=linux
mount -t 9p -o {_9P_OPTIONS},cache=loose,ro {ROOT_TAG} /lower || fail "no root"
mount -t tmpfs upper /upper && mkdir /upper/data /upper/work &&
    mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work root /root ||
    fail "no overlay"
for each in devtmpfs:dev proc:proc sysfs:sys tmpfs:run debugfs:sys/kernel/debug; do
    mount -t "${{each%%:*}}" "${{each%%:*}}" "/root/${{each#*:}}" || fail "no ${{each#*:}}"
done
mkdir -p /root/dev/pts /root/dev/shm /root/lib/modules /root{SHARE} /root{GUEST_MEMORY}
mount -t devpts devpts /root/dev/pts && mount -t tmpfs shm /root/dev/shm ||
    fail "no /dev/pts, /dev/shm"
mount -t tmpfs -o huge=always,size=100% guests /root{GUEST_MEMORY} || fail "no memory for guests"
mount -t 9p -o {_9P_OPTIONS} {SHARE_TAG} /root{SHARE} || fail "no shared folder"
hostname=host
for word in $(cat /proc/cmdline); do
    case $word in
    vrdma.name=*) hostname=${{word#*=}} ;;
    vrdma.modules=*) mount -o bind "/root${{word#*=}}" /root/lib/modules || fail "no modules" ;;
    esac
done
hostname "$hostname"
ip link set lo up
while :; do
    for port in /sys/class/virtio-ports/*; do
        [ "$(cat "$port/name" 2> /dev/null)" = {AGENT_PORT} ] || continue
        exec switch_root /root {SHARE}/agent "/dev/${{port##*/}}"
    done
    usleep 50000
done
"""


def build_host_initramfs(path: Path, kernel: Kernel) -> None:
    """Writes the initramfs of host VMs for this kernel."""
    if not (kernel.tree / "lib" / "modules" / kernel.release).is_dir():
        raise LabError(f"{kernel.tree} has no modules of {kernel.release}")
    archive = CpioWriter(path)
    write_beginning(archive, kernel, MODULES)
    for folder in ("lower", "upper"):
        archive.folder(folder)
    archive.file("/init", _INIT.encode(), 0o755)
    archive.close()
