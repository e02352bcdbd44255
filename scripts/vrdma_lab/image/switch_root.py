# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What initramfs have in common that mount another root: busybox, modules, init's first steps."""

from __future__ import annotations

from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.initramfs import tool_file
from vrdma_lab.image.kernel_modules import module_bytes, modules
from vrdma_lab.paths import Kernel

# The first steps of init. The root is to be mounted at /root.
FIRST_STEPS = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
fail() {
    echo "init: $*"
    poweroff -f
}
mount -t devtmpfs dev /dev && mount -t proc proc /proc && mount -t sysfs sys /sys ||
    fail "no /dev, /proc, /sys"
while read -r module; do
    insmod "/modules/$module" || fail "$module does not load"
done < /modules/order
"""


def write_beginning(archive: CpioWriter, kernel: Kernel, names: tuple[str, ...]) -> None:
    """Adds what the first steps need: folders, busybox, and the modules of these names."""
    for folder in ("proc", "sys", "dev", "root"):
        archive.folder(folder)
    archive.file("/bin/busybox", tool_file("busybox").read_bytes(), 0o755)
    archive.link("/bin/sh", "busybox")
    order = ""
    for module in modules(kernel, names):
        name, data = module_bytes(module)
        archive.file(f"/modules/{name}", data)
        order += name + "\n"
    archive.file("/modules/order", order.encode())
