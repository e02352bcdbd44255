# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A host VM: a machine with an RNIC and KVM, emulated where this machine has neither.

A host VM has one processor: nested SVM is sound with one, and is not under multi-threaded TCG. A
second one is kept from everything but what is put on it. A machine with two lives for minutes,
which is enough to measure a guest that has a processor to itself, and not enough for tests.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import Child, size_of, tail
from vrdma_lab.errors import LabError
from vrdma_lab.image.host_initramfs import ROOT_TAG, SHARE_TAG
from vrdma_lab.machine.channel import Channel, Job, Outcome
from vrdma_lab.machine.progress import wait_until
from vrdma_lab.machine.side import Side
from vrdma_lab.network.host_network import HostNetwork
from vrdma_lab.network.rnics import KINDS
from vrdma_lab.network.switch import Switch
from vrdma_lab.vm.cores import Core
from vrdma_lab.vm.examination import examine
from vrdma_lab.vm.monitor import monitor_options
from vrdma_lab.vm.guest import NO_MORE_WORK
from vrdma_lab.vm.qemu import COMMON_OPTIONS, agent_options, explain

MEMORY_MIB = 6144
_ISOLATION = " isolcpus=domain,managed_irq,1 irqaffinity=0 tsc=reliable"


class HostVm(Side):
    """A host VM.

    `number` is 1 or 2; `share` is the folder that it sees as SHARE, with the agent in it.
    """

    native = True

    def __init__(
        self,
        number: int,
        rnic: str,
        kernel: paths.Kernel,
        initramfs: Path,
        share: Path,
        underlay: Switch,
        overlay: Switch,
        isolated: bool = False,  # whether it has a second processor, which nothing uses unasked
    ) -> None:
        self._kind = KINDS[rnic]
        self.network = HostNetwork(number, self._kind.underlay, self._kind.uplink)
        self.rnic = rnic
        name = f"host{number}"
        self.console = share.parent / f"{name}.console"
        self._model_log = share.parent / f"{name}.connectx"
        agent = share.parent / f"{name}.agent"
        channel = Channel(name, agent, self._explain, lambda: size_of(self.console))
        super().__init__(
            name, self.network.address, self.network.underlay_address, self._kind.device, channel
        )
        self._cores = [Core() for _ in range(2 if isolated else 1)]
        self.terminal = share.parent / f"{name}.terminal"
        self._monitor = share.parent / f"{name}.monitor"
        command = [
            *self._machine(kernel, initramfs),
            *_file_system("root", Path("/"), ROOT_TAG, "readonly=on"),
            *_file_system("share", share, SHARE_TAG, "readonly=off"),
            *self._underlay_nic(number, underlay),
            *_netdev("overlay", overlay),
            *_nic("overlay", f"52:54:00:77:01:{number:02x}"),
            *self._model_options(number, underlay),
            *agent_options(f"path={agent}"),
            *("-chardev", f"socket,id=terminal,path={self.terminal},server=on,wait=off"),
            *("-device", "virtconsole,chardev=terminal"),
            *monitor_options(self._monitor),
        ]
        self.qemu = Child(f"the QEMU of {name}", command, share.parent / f"{name}.qemu")

    def _machine(self, kernel: paths.Kernel, initramfs: Path) -> list[str]:
        """QEMU on the host VM's cores, with its processors, memory and kernel."""
        isolation = _ISOLATION if len(self._cores) > 1 else ""
        append = (
            "console=ttyS0 quiet panic=-1 mitigations=off sysrq_always_enabled unknown_nmi_panic "
            f"{NO_MORE_WORK} tsc=reliable no_timer_check "
            f"vrdma.name={self.name} vrdma.modules={kernel.tree}/lib/modules{isolation}"
        )
        return [
            *("taskset", "--cpu-list", ",".join(str(core.number) for core in self._cores)),
            # Right before QEMU: in no other program the model finds what it needs.
            *(("env", f"LD_PRELOAD={paths.connectx_model()}") if self._kind.model else ()),
            *(paths.qemu(), "-name", f"{self.name},debug-threads=on", *COMMON_OPTIONS),
            *("-machine", "q35", "-accel", "tcg", "-cpu", "EPYC,+svm,+npt"),
            *("-smp", str(len(self._cores)), "-m", f"{MEMORY_MIB}M"),
            *("-kernel", str(kernel.vmlinux), "-initrd", str(initramfs), "-append", append),
            *("-serial", f"file:{self.console}"),
        ]

    def _underlay_nic(self, number: int, underlay: Switch) -> list[str]:
        """The host's NIC at the underlay, unless its RNIC is one itself."""
        nic = [] if self._kind.is_nic else _nic("underlay", f"52:54:00:09:00:{number:02x}")
        return [*_netdev("underlay", underlay), *nic]

    def _model_options(self, number: int, underlay: Switch) -> list[str]:
        """The model of an adapter, if that is the host's RNIC."""
        if not self._kind.model:
            return []
        # The end of the GUID is also the end of the MAC address.
        address = f"guid={0x5054000300090000 + number:#x},lid={number}"
        # The switch of the underlay carries packets of InfiniBand as well.
        fabric = [] if self._kind.is_nic else _netdev("fabric", underlay)
        network = "underlay" if self._kind.is_nic else "fabric"
        options = f"{self._kind.model},{address},log={self._model_log},netdev={network}"
        return [*fabric, "-device", f"connectx-model,{options}"]

    def violations(self) -> list[str]:
        """What the host's driver or its programs did that the model of its adapter forbids."""
        if not self._kind.model:
            return []
        lines = self._model_log.read_text(errors="replace").splitlines()
        return [f"{self.name}: {line}" for line in lines if line.startswith("violation:")]

    def _explain(self) -> str:
        adapter = f"\n  its adapter:\n{tail(self._model_log)}" if self._kind.model else ""
        return explain(self.console, self.qemu, adapter)

    def wait_booted(self, timeout: float = 180) -> None:
        """Waits for the boot and sets up the networks and the RNIC."""
        self.channel.connect(self.qemu.check, timeout)
        self.must(
            self.network.load_driver(self.rnic)
            + self.network.setup()
            + self.network.add_rnic(self.rnic),
            timeout,
        )

    def follow(
        self,
        command: str,
        sink: Callable[[bytes], object] | None = None,
        others: Sequence[HostVm] = (),
    ) -> Outcome:
        """Runs a command of many steps, which prints at each; its end.

        LabError tells what this machine and the others that the command uses do when the command
        prints nothing any more.
        """
        job = self.start(command, sink)
        return job.wait_through(lambda job: self._examine(job, others))

    def _examine(self, job: Job, others: Sequence[HostVm]) -> str:
        """What the machines and the command do."""
        text = "".join(
            examine(host.qemu, host._monitor, host.console) for host in (self, *others)
        )
        before = len(job.output)
        # Python prints where it is (PYTHONFAULTHANDLER).
        job.signal(signal.SIGABRT)
        try:
            wait_until(lambda: job.done, "it does not end by SIGABRT", 3)
        except LabError as error:
            return f"{text}\n  {error}"
        return f"{text}\n{job.output[before:]}"

    def kill(self) -> None:
        """Kills QEMU and gives its cores back."""
        self.qemu.kill()
        self.channel.close()
        for core in self._cores:
            core.release()


def _file_system(name: str, path: Path, tag: str, access: str) -> list[str]:
    shown = f"local,id={name},path={path},security_model=none,multidevs=remap,{access}"
    return ["-fsdev", shown, "-device", f"virtio-9p-pci,fsdev={name},mount_tag={tag}"]


def _netdev(name: str, switch: Switch) -> list[str]:
    return ["-netdev", f"{switch.netdev},id={name}"]


def _nic(name: str, mac: str) -> list[str]:
    return ["-device", f"virtio-net-pci,netdev={name},mac={mac},romfile="]
