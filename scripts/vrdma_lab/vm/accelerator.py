# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The choice between KVM and TCG, made by running a kernel: /dev/kvm may exist and yet hang."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import Child
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.machine.progress import Patience
from vrdma_lab.vm.qemu import COMMON_OPTIONS

_MARKER = "vrdma: this kernel runs"
_LIMIT = 6.0  # seconds of standing still; ten times as many of work
_INIT = f"""#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
echo '{_MARKER}' > /dev/ttyS0
/bin/busybox poweroff -f
"""


def choose_accelerator(kernel: paths.Kernel, folder: Path) -> str:
    """The value of QEMU's -accel; standard error says so when it is TCG.

    The result of the probe is kept until the next boot.
    """
    forced = os.environ.get("VRDMA_ACCEL")
    if forced:
        return forced
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        _say("There is no usable /dev/kvm: the guests run under TCG (slowly).")
        return "tcg"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    known = paths.cache() / "kvm-probe"
    try:
        probed_boot, result = known.read_text().split()
    except (OSError, ValueError):
        probed_boot, result = "", ""
    if probed_boot != boot or result not in ("kvm", "tcg"):
        _say("Trying whether KVM runs a kernel ...")
        result = "kvm" if _kvm_runs(kernel, folder) else "tcg"
        known.parent.mkdir(parents=True, exist_ok=True)
        partial = known.with_suffix(f".{os.getpid()}")
        partial.write_text(f"{boot} {result}\n")
        partial.replace(known)
    if result == "tcg":
        _say(
            "/dev/kvm is there, but a kernel does not run under it: "
            "the guests run under TCG (slowly)."
        )
    return result


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _kvm_runs(kernel: paths.Kernel, folder: Path) -> bool:
    """Boots the guest kernel under KVM to the point where it starts init."""
    initramfs = folder / "probe.initramfs"
    archive = CpioWriter(initramfs)
    archive.folder("dev")
    archive.file("/bin/busybox", Path("/bin/busybox").read_bytes(), 0o755)
    archive.file("/init", _INIT.encode(), 0o755)
    archive.close()
    console = folder / "probe.console"
    command = [
        paths.qemu(),
        *COMMON_OPTIONS,
        *("-machine", "q35", "-accel", "kvm", "-cpu", "max", "-smp", "1", "-m", "256M"),
        *("-kernel", str(kernel.vmlinux), "-initrd", str(initramfs)),
        *("-append", "console=ttyS0 quiet panic=-1"),
        *("-serial", f"file:{console}"),
    ]
    probe = Child("the KVM probe", command, folder / "probe.log")
    try:
        patience = Patience(_LIMIT)
        while not patience.over:
            if console.exists() and _MARKER in console.read_text(errors="replace"):
                return True
            if not probe.running:
                return False
            time.sleep(0.1)
        return False
    finally:
        probe.kill()
