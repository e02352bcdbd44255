# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A virtual machine with a Debian of its own, as users install it, that has KVM.

It runs under TCG, has QEMU's user network, by which it reaches what this machine reaches, and keeps
what it writes on its disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import Child, size_of
from vrdma_lab.errors import LabError
from vrdma_lab.machine.channel import Channel
from vrdma_lab.machine.side import Side
from vrdma_lab.packages.debian_disk import DebianDisk
from vrdma_lab.vm.qemu import COMMON_OPTIONS, agent_options, explain

# The address that QEMU's user network gives.
_ADDRESS = "10.0.2.15"
_APPEND = "root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests"
# Nested SVM is sound with one processor (host_vm.py).
_PROCESSOR = ("-cpu", "EPYC,+svm,+npt", "-smp", "1")


class DebianVm(Side):
    """A virtual machine, which boots as it is made.

    `folder` gets its socket and logs. `more_disks` come after the root, from /dev/vdb on.
    """

    def __init__(
        self,
        name: str,
        disk: DebianDisk,
        folder: Path,
        memory_mib: int,
        more_disks: Sequence[Path] = (),
    ) -> None:
        agent = folder / f"{name}.agent"
        self.console = folder / f"{name}.console"
        channel = Channel(name, agent, self._explain, lambda: size_of(self.console))
        super().__init__(name, _ADDRESS, "", "vrdma0", channel)
        command = [
            *(paths.qemu(), "-name", f"{name},debug-threads=on", *COMMON_OPTIONS),
            *("-machine", "q35", "-accel", "tcg", *_PROCESSOR),
            *("-m", f"{memory_mib}M"),
            *("-kernel", str(disk.kernel), "-initrd", str(disk.initramfs), "-append", _APPEND),
            *("-serial", f"file:{self.console}"),
            *_disk_options((disk.image, *more_disks)),
            *("-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile="),
            *agent_options(f"path={agent}"),
        ]
        self.qemu = Child(f"the QEMU of {name}", command, folder / f"{name}.qemu")

    def _explain(self) -> str:
        return explain(self.console, self.qemu)

    def wait_booted(self, timeout: float = 180) -> None:
        """Waits until systemd has started all that it starts; `timeout` is for standing still."""
        self.channel.connect(self.qemu.check, timeout)
        self.must(
            "systemctl is-system-running --wait || { systemctl --failed --no-pager; false; }",
            timeout,
        )

    def follow(self, command: str) -> str:
        """The output of a command of many steps, which must succeed and prints at each."""
        job = self.start(command)
        outcome = job.wait_through()
        if not outcome.ok:
            raise LabError(self.channel.report(f"status {outcome.status} from: {command}", job))
        return outcome.output

    def kill(self) -> None:
        """Kills QEMU, unless it has ended."""
        self.qemu.kill()
        self.channel.close()


def _disk_options(images: Sequence[Path]) -> list[str]:
    """The disks, whose files need not outlive a crash of this machine."""
    words = []
    for number, image in enumerate(images):
        drive = f"file={image},format=raw,if=none,id=disk{number},cache=unsafe"
        words += ["-drive", drive, "-device", f"virtio-blk-pci,drive=disk{number}"]
    return words
