# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest: one QEMU with a vrdma device and a command channel into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import Child, size_of
from vrdma_lab.errors import LabError
from vrdma_lab.machine.channel import Channel
from vrdma_lab.machine.side import Side
from vrdma_lab.network.overlay import PREFIX_LENGTH, guest_address, mac_of
from vrdma_lab.vm.qemu import COMMON_OPTIONS, agent_options, explain

DEVICE = "vrdma0"
# What firmware and kernel would look for in each guest, and no test needs: disks and sensors of the
# chipset, buses behind the last one, tests of the kernel's ciphers, and policies. A guest that runs
# in a host VM boots in two thirds of the time.
_NO_MORE_DEVICES = "sata=off,smbus=off"
NO_MORE_WORK = "pci=lastbus=0 cryptomgr.notests lsm=capability audit=0"


@dataclass(frozen=True)
class GuestOptions:
    """The options of a guest's QEMU."""

    memory_mib: int = 256
    processors: int = 1
    nodes: int = 1  # NUMA nodes, each with its part of memory and processors
    machine: str = "q35"  # with its properties, for example "q35,max-ram-below-4g=1G"
    # More vrdma devices, each with a netdev beside it: the numbers of their guests in the daemon.
    more_devices: tuple[int, ...] = ()
    device: bool = True  # whether the guest has a vrdma-pci
    device_options: str = ""  # more properties of the vrdma-pci, for example "packed=on"
    shared_memory: bool = True
    huge_pages: bool = False  # its memory is on hugetlbfs; the pages have to be there
    load_driver: bool = True
    socket: Path | None = None  # the socket of another daemon than the lab's
    archive: Path | None = None  # a cpio archive that is unpacked after the initramfs
    disk: Path | None = None  # a distribution that the guest boots, and whose file it leaves alone
    # What stands before the device, which may be on a bus that is made here.
    extra: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GuestNetwork:
    """The connections of a guest."""

    netdev: str  # the value of QEMU's -netdev, without the id
    gateway: str = ""
    underlay: str = ""  # the guest's second address, by which the host's RNIC stands for the guest
    agent_address: tuple[
        str, int
    ] | None = None  # a TCP address, if another host gives the commands


class Guest(Side):
    """A virtual machine.

    `number`, from 1, gives its addresses, and `prefix` the names of its files.
    """

    def __init__(
        self,
        name: str,
        number: int,
        prefix: Path,
        kernel: paths.Kernel,
        initramfs: Path,
        network: GuestNetwork,
        socket: Path | None,
        accelerator: str,
        options: GuestOptions,
        more: Mapping[int, tuple[GuestNetwork, Path]] | None = None,
        memory_folder: Path | None = None,
    ) -> None:
        """`more` has network and socket of each of options.more_devices.

        The guest's memory is a file in `memory_folder`, if that is given, or else a memfd.
        """
        agent = network.agent_address or prefix.with_suffix(".agent")
        channel = Channel(f"guest {name}", agent, self.explain, lambda: size_of(self.console))
        super().__init__(name, guest_address(number), network.underlay, DEVICE, channel)
        self.number = number
        self.mac = mac_of(number)
        self.console = prefix.with_suffix(".console")
        command = [
            *(paths.qemu(), "-name", f"{name},debug-threads=on", *COMMON_OPTIONS),
            *("-accel", accelerator, "-cpu", "max"),
            *("-smp", _processors(options.processors, accelerator)),
            *("-kernel", str(kernel.vmlinux), "-initrd", str(initramfs)),
            *("-append", self._append(options, network)),
            *("-serial", f"file:{self.console}"),
            *("-netdev", f"{network.netdev},id=net0"),
            *("-device", f"virtio-net-pci,netdev=net0,mac={self.mac},romfile="),
            *agent_options(_socket_properties(agent)),
            *_memory_options(options, memory_folder),
            *_disk_options(options),
            *options.extra,
            *self._device_options(options, socket),
            *_more_devices(more or {}),
        ]
        environment = paths.device_environment() if options.device else {}
        log = prefix.with_suffix(".qemu")
        self.qemu = Child(f"the QEMU of guest {name}", command, log, environment)

    def _device_options(self, options: GuestOptions, socket: Path | None) -> list[str]:
        """The vrdma device, and its connection to the daemon."""
        if not options.device:
            return []
        if socket is None:
            raise LabError(f"guest {self.name} has a vrdma device but no daemon to serve it")
        properties = f",{options.device_options}" if options.device_options else ""
        character_device = ["-chardev", f"socket,id=vrdma0,path={socket}"]
        return [*character_device, "-device", f"vrdma-pci,chardev=vrdma0{properties}"]

    def _append(self, options: GuestOptions, network: GuestNetwork) -> str:
        """The kernel's command line."""
        driver = "load" if options.load_driver else "skip"
        return (
            "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable no_timer_check "
            f"{NO_MORE_WORK} "
            f"vrdma.name={self.name} vrdma.address={self.ip}/{PREFIX_LENGTH} vrdma.driver={driver} "
            f"vrdma.gateway={network.gateway} vrdma.underlay={network.underlay}"
        )

    def explain(self) -> str:
        """The last lines of its console and its QEMU."""
        return explain(self.console, self.qemu)

    def wait_booted(self, timeout: float = 90) -> None:
        """Waits until the agent takes commands; `timeout` is how long the guest may stand still."""
        self.channel.connect(self.qemu.check, timeout)

    def wait_registered(self, timeout: float = 30, registered: bool = True) -> None:
        """Waits until the guest's kernel has the device, or has it no longer."""
        until = "until" if registered else "while"
        path = f"/sys/class/infiniband/{self.device}"
        self.must(f"{until} [ -e {path} ]; do usleep 50000; done", timeout)

    def wait_device(self, timeout: float = 30) -> None:
        """Waits until a device that has just come has its port up and its GIDs."""
        self.forget_gids()
        # A port on InfiniBand has the subnet's GIDs from the beginning.
        self.must(
            f"until ibv_devinfo -v -d {self.device} 2> /dev/null | "
            f"grep -q -e '::ffff:{self.ip}' -e 'link_layer:.*InfiniBand' && "
            f"ibv_devinfo -d {self.device} | grep -q PORT_ACTIVE; do sleep 0.05; done",
            timeout,
        )

    def kill(self) -> None:
        """Kills QEMU (SIGKILL), as if the machine's power went."""
        self.qemu.kill()
        self.channel.close()


def _more_devices(more: Mapping[int, tuple[GuestNetwork, Path]]) -> list[str]:
    """More vrdma devices, each on a socket of its own, and the netdevs that have their addresses.

    Bus addresses follow the order, so that eth0 and vrdma0 are those of the guest itself.
    """
    words = []
    for number, (network, socket) in more.items():
        words += ["-netdev", f"{network.netdev},id=net{number}"]
        words += ["-device", f"virtio-net-pci,netdev=net{number},mac={mac_of(number)},romfile="]
        words += ["-chardev", f"socket,id=vrdma{number},path={socket}"]
        words += ["-device", f"vrdma-pci,chardev=vrdma{number}"]
    return words


def _memory_options(options: GuestOptions, folder: Path | None) -> list[str]:
    """The memory and the machine, which has its memory where the daemon can map it."""
    machine = f"{options.machine},{_NO_MORE_DEVICES}"
    words = ["-m", f"{options.memory_mib}M"]
    if not options.shared_memory:
        return [*words, "-machine", machine]
    shared = "share=on,hugetlb=on,hugetlbsize=2M" if options.huge_pages else "share=on"
    if options.nodes == 1 and folder is not None and not options.huge_pages:
        place = f"mem-path={folder},align=2M,share=on"
        backend = f"memory-backend-file,id=mem,size={options.memory_mib}M,{place}"
        return [*words, "-object", backend, "-machine", f"{machine},memory-backend=mem"]
    if options.nodes == 1:
        backend = f"memory-backend-memfd,id=mem,size={options.memory_mib}M,{shared}"
        return [*words, "-object", backend, "-machine", f"{machine},memory-backend=mem"]
    words += ["-machine", machine]
    size = options.memory_mib // options.nodes
    for node in range(options.nodes):
        backend = f"memory-backend-memfd,id=mem{node},size={size}M,{shared}"
        words += ["-object", backend, "-numa", f"node,nodeid={node},memdev=mem{node}"]
    for processor in range(options.processors):
        words += ["-numa", f"cpu,node-id={processor % options.nodes},socket-id={processor}"]
    return words


def _disk_options(options: GuestOptions) -> list[str]:
    """The disk; what the guest writes is in a file of QEMU's own, which nobody else sees."""
    if options.disk is None:
        return []
    drive = f"file={options.disk},format=raw,if=none,id=disk,snapshot=on"
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=disk"]


def _processors(count: int, accelerator: str) -> str:
    """The value of QEMU's -smp.

    In a machine that can have one processor only, TCG compiles atomic instructions as if nobody
    else used its memory, and QEMU 7.2 leaves memory barriers out as well (tcg_gen_mb()). vrdmad
    uses the memory: a doorbell can get lost, or an interrupt, and its program sleeps for ever. So
    such a machine has room for a second processor, which it does not get.
    """
    most = max(count, 2) if accelerator.startswith("tcg") else count
    return f"{count},sockets={most},maxcpus={most}"


def _socket_properties(address: Path | tuple[str, int]) -> str:
    return (
        f"path={address}" if isinstance(address, Path) else f"host={address[0]},port={address[1]}"
    )
