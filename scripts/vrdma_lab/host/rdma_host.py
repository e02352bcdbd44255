# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The RDMA host that this program runs on: its RNIC, daemon, guests and native programs.

The host is a host VM or a machine of its own.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import Child
from vrdma_lab.errors import LabError
from vrdma_lab.image.host_initramfs import GUEST_MEMORY, SHARE
from vrdma_lab.lab.daemon import Daemon
from vrdma_lab.lab.lab import Lab
from vrdma_lab.machine.agent import compile_agent
from vrdma_lab.machine.channel import Channel
from vrdma_lab.machine.side import Side
from vrdma_lab.network.host_network import UNDERLAY, HostNetwork, guest_underlay, tap_of
from vrdma_lab.network.rnics import KINDS, Kind
from vrdma_lab.vm.guest import GuestNetwork


@dataclass(frozen=True)
class Peer:
    """Guests of other hosts, or hosts themselves.

    `gid` has their GIDs, and `via` the underlay GID, which is that of their host's RNIC.
    """

    gid: str
    via: str = ""  # empty if the GID is one of the underlay itself

    def toml(self) -> str:
        """The [[peer]] table of vrdmad's configuration."""
        via = f'\nvia = "{self.via}"' if self.via else ""
        return f'[[peer]]\ngid = "{self.gid}"{via}\n'


BARE_METAL = Peer(f"{UNDERLAY}.0/24")


def in_host_vm() -> bool:
    """Whether this program runs in a host VM."""
    return "VRDMA_LAB_HOST" in os.environ


class Native(Side):
    """The host itself, as a place to run programs on."""

    native = True

    def __init__(self, network: HostNetwork, device: str, agent: Path, folder: Path) -> None:
        name = f"host{network.number}"
        ours, theirs = socket.socketpair()
        self._child = Child(
            f"the agent of {name}",
            [str(agent)],
            folder / f"{name}.agent-log",
            stdin=theirs.fileno(),
        )
        theirs.close()
        super().__init__(
            name,
            network.address,
            network.underlay_address,
            device,
            Channel(name, ours, self._child.tail),
        )
        self.channel.connect(self._child.check, 60)
        self.log_start = f"vrdma: {folder.name} begins"
        self.must(f"echo '{self.log_start}' > /dev/kmsg")

    def close(self) -> None:
        """Ends the agent."""
        self.channel.close()
        self._child.stop()


class RdmaHost(Lab):
    """A lab on the machine whose RNIC the guests share.

    It has taps on a bridge instead of a switch, KVM, and native programs. In a host VM the networks
    and the RNIC are there already; on a machine of its own they are made, and removed in the end.
    """

    def __init__(
        self,
        kernel: str = "6.1",
        rnic: str | None = None,
        remote: bool = False,
        modules: tuple[str, ...] = (),
    ) -> None:
        """With `remote`, the guests take commands from another host."""
        super().__init__(kernel, modules=modules)
        self._remote = remote
        self.rnic = rnic if rnic is not None else os.environ.get("VRDMA_LAB_RNIC", "rxe")
        number = int(os.environ.get("VRDMA_LAB_HOST", "1"))
        self.network = (
            HostNetwork(number, underlay=self.kind.underlay, uplink=self.kind.uplink)
            if in_host_vm()
            else HostNetwork(number, underlay="vrdma-underlay", dummy=True)
        )
        self.memory_folder = GUEST_MEMORY if in_host_vm() else None
        self._native: Native | None = None
        self._made = False
        self._numbers: set[int] = set()

    @property
    def kind(self) -> Kind:
        """What kind of RNIC the host has."""
        return KINDS[self.rnic]

    @property
    def device(self) -> str:
        """The RNIC's name, as ibv_devices says it."""
        return self.kind.device

    @property
    def native(self) -> Native:
        """The host itself as a side."""
        assert self._native is not None
        return self._native

    def connect(self) -> None:
        if not in_host_vm():
            self._made = True
            self.shell(self.network.setup() + self.network.add_rnic(self.rnic))
        agent = SHARE / "agent" if in_host_vm() else compile_agent(self.folder)
        self._native = Native(self.network, self.device, agent, self.folder)

    def close(self) -> None:
        super().close()
        if self._native is not None:
            self._native.close()
            self._native = None
        for number in self._numbers:
            self._undo(self.network.remove_guest(number))
        self._numbers.clear()
        if self._made:
            self._made = False
            self._undo(self.network.teardown())

    @staticmethod
    def _undo(script: str) -> None:
        """Runs a script that takes things away, some of which may not be there."""
        subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def shell(self, script: str) -> None:
        """Runs a script on the host that must succeed."""
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            raise LabError(f"status {done.returncode} from:\n{script}{done.stdout}{done.stderr}")

    def add_rnic(self) -> None:
        """Makes the RNIC again."""
        self.shell(self.network.restore_rnic(self.rnic, sorted(self._numbers)))

    def base_initramfs(self, kernel: paths.Kernel) -> Path:
        # The file is made outside of a host VM, because to make it inside takes long.
        prebuilt = SHARE / f"initramfs-{kernel.series}"
        return prebuilt if in_host_vm() and prebuilt.exists() else super().base_initramfs(kernel)

    def guest_network(self, number: int) -> GuestNetwork:
        if number not in self._numbers:
            self.shell(self.network.add_guest(number))
            self._numbers.add(number)
        netdev = f"tap,ifname={tap_of(number)},script=no,downscript=no,vhost=off"
        agent = self.network.agent_of(number) if self._remote else None
        return GuestNetwork(netdev, self.network.address, guest_underlay(number), agent)

    def serve(
        self,
        numbers: Iterable[int],
        rnic: str | None = None,
        spin_us: int | None = None,
        peers: Iterable[Peer] = (BARE_METAL,),
        vms: Mapping[int, str] | None = None,
        announce: str = "",
    ) -> Daemon:
        """Starts vrdmad for these guests, on the host's RNIC unless another one is named.

        `announce` is the key of that name, where it is not the default.
        """
        rnic = rnic or self.device
        options = ["--spin-us", str(spin_us)] if spin_us is not None else []
        toml = "" if rnic == "embedded" else "".join(peer.toml() for peer in peers)
        if announce:
            toml = f'announce = "{announce}"\n{toml}'
        self._daemon = Daemon(self.folder, numbers, options, toml, rnic, vms)
        return self._daemon
