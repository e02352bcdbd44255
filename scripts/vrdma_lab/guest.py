# SPDX-License-Identifier: Apache-2.0
"""A guest: one QEMU with a vrdma device and a command channel into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from . import paths
from .channel import Channel, Job, Outcome
from .children import Child, tail
from .errors import LabError
from .initramfs import AGENT_PORT

NETWORK = "10.77.0"
PREFIX_LENGTH = 24


@dataclass(frozen=True)
class GuestOptions:
    """How a guest's QEMU is started."""

    memory_mib: int = 256
    device: bool = True  # has a vrdma-pci
    device_options: str = ""  # more properties of it, e.g. "packed=on"
    shared_memory: bool = True
    load_driver: bool = True
    socket: Path | None = None  # of another daemon than the lab's
    extra: list[str] = field(default_factory=list)


class Guest:
    """One virtual machine.  `number` (from 1) gives its addresses, `prefix` the names of its files."""

    def __init__(
        self,
        name: str,
        number: int,
        prefix: Path,
        kernel: paths.Kernel,
        initramfs: Path,
        switch: Path,
        socket: Path | None,
        accelerator: str,
        options: GuestOptions,
    ) -> None:
        self.name = name
        self.number = number
        self.ip = f"{NETWORK}.{number}"
        self.mac = mac_of(number)
        self.console = prefix.with_suffix(".console")
        agent = prefix.with_suffix(".agent")
        self._channel = Channel(name, agent, self._explain)
        self._gid_index: int | None = None
        memory = f"{options.memory_mib}M"
        command = [
            paths.qemu(),
            *("-name", f"{name},debug-threads=on"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-no-reboot"),
            *("-accel", accelerator, "-cpu", "max", "-smp", "1", "-m", memory),
            *("-kernel", str(kernel.vmlinux), "-initrd", str(initramfs), "-append", self._append(options)),
            *("-serial", f"file:{self.console}"),
            *("-netdev", f"stream,id=net0,server=off,addr.type=unix,addr.path={switch}"),
            *("-device", f"virtio-net-pci,netdev=net0,mac={self.mac},romfile="),
            *("-chardev", f"socket,id=agent,path={agent},server=on,wait=off"),
            *("-device", "virtio-serial-pci", "-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"),
        ]
        if options.shared_memory:
            command += ["-object", f"memory-backend-memfd,id=mem,size={memory},share=on"]
            command += ["-machine", "q35,memory-backend=mem"]
        else:
            command += ["-machine", "q35"]
        environment = {}
        if options.device:
            if socket is None:
                raise LabError(f"guest {name} has a vrdma device but no daemon to serve it")
            environment["LD_PRELOAD"] = str(paths.qemu_device() / "libvrdma-qemu-preload.so")
            properties = f",{options.device_options}" if options.device_options else ""
            command += ["-chardev", f"socket,id=vrdma0,path={socket}"]
            command += ["-device", f"vrdma-pci,chardev=vrdma0{properties}"]
        command += options.extra
        self.qemu = Child(f"the QEMU of guest {name}", command, prefix.with_suffix(".qemu"), environment)

    def _append(self, options: GuestOptions) -> str:
        driver = "load" if options.load_driver else "skip"
        return (
            "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check "
            f"vrdma.name={self.name} vrdma.address={self.ip}/{PREFIX_LENGTH} vrdma.driver={driver}"
        )

    def _explain(self) -> str:
        text = f"  its console:\n{tail(self.console)}\n  its QEMU:\n{self.qemu.tail()}"
        if not self.qemu.running:
            text += f"\n  QEMU ended with status {self.qemu.process.returncode}"
        return text

    def wait_booted(self, timeout: float = 90) -> None:
        self._channel.connect(self.qemu.check, timeout)

    def start(self, command: str) -> Job:
        """Starts a shell command."""
        return self._channel.start(command)

    def run(self, command: str, timeout: float = 60) -> Outcome:
        """Runs a shell command to its end."""
        return self.start(command).wait(timeout)

    def must(self, command: str, timeout: float = 60) -> str:
        """The output of a shell command, which must succeed."""
        job = self.start(command)
        outcome = job.wait(timeout)
        if not outcome.ok:
            raise LabError(self._channel.report(f"status {outcome.status} from: {command}", job))
        return outcome.output

    def gid_index(self) -> int:
        """The index of the GID made from this guest's IPv4 address, of type RoCE v2."""
        if self._gid_index is None:
            wanted = "0000:0000:0000:0000:0000:ffff:" + "{:02x}{:02x}:{:02x}{:02x}".format(
                *(int(part) for part in self.ip.split("."))
            )
            script = (
                "cd /sys/class/infiniband/vrdma0/ports/1 && for i in gids/*; do "
                'i=${i#gids/}; echo "$i $(cat gids/$i) $(cat gid_attrs/types/$i 2> /dev/null)"; done'
            )
            for line in self.must(script).splitlines():
                index, gid, *kind = line.split(maxsplit=2)
                if gid == wanted and kind == ["RoCE v2"]:
                    self._gid_index = int(index)
                    break
            else:
                raise LabError(self._channel.report(f"vrdma0 has no RoCE v2 GID for {self.ip}"))
        return self._gid_index

    def wait_device(self, timeout: float = 30) -> None:
        """Waits until a device that has just come has its port up and its GIDs."""
        self._gid_index = None
        self.must(
            f"until ibv_devinfo -v -d vrdma0 2> /dev/null | grep -q '::ffff:{self.ip}' && "
            "ibv_devinfo -d vrdma0 | grep -q PORT_ACTIVE; do usleep 50000; done",
            timeout,
        )

    def kill(self) -> None:
        """SIGKILL, as when the machine's power goes."""
        self.qemu.kill()
        self._channel.close()


def mac_of(number: int) -> str:
    return f"52:54:00:77:00:{number:02x}"
