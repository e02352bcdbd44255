# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A machine that RDMA programs run on: a guest, or the RDMA host itself."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address

from vrdma_lab.errors import LabError
from vrdma_lab.machine.channel import Channel, Job, Outcome


class Side:
    """A machine that runs shell commands, with its RDMA device and addresses.

    `ip` is the address of its TCP servers. `underlay` is its address in the network of the host's
    RNIC, which it uses with whoever runs on a host without a virtual machine around it; it is empty
    where there is no such network.
    """

    native = False  # runs on the host and not in a guest
    # The lines before this one in the kernel's log are not this project's doing.
    log_start = "Run /init as init process"

    def __init__(self, name: str, ip: str, underlay: str, device: str, channel: Channel) -> None:
        self.name = name
        self.ip = ip
        self.underlay = underlay
        self.device = device
        self.channel = channel
        self._gid_indexes: dict[str, int] = {}
        self._infiniband: bool | None = None

    def start(self, command: str, sink: Callable[[bytes], object] | None = None) -> Job:
        """Starts a shell command."""
        return self.channel.start(command, sink)

    def run(self, command: str, timeout: float = 60) -> Outcome:
        """Runs a shell command to its end."""
        return self.start(command).wait(timeout)

    def must(self, command: str, timeout: float = 60) -> str:
        """The output of a shell command, which must succeed."""
        job = self.start(command)
        outcome = job.wait(timeout)
        if not outcome.ok:
            raise LabError(self.channel.report(f"status {outcome.status} from: {command}", job))
        return outcome.output

    def complaints(self) -> str:
        """The bugs and warnings in the kernel's log."""
        # grep's status says only whether there were any. Programs that crash have a status of their
        # own.
        return self.must(
            f"dmesg | sed '1,\\|{self.log_start}|d; / traps: /d' | "
            "grep -E -A 20 'BUG:|WARNING:|Oops|protection fault' || true"
        )

    def address_towards(self, peer: Side) -> str:
        """The address that RDMA with this peer starts from."""
        return self.underlay if self.native or peer.native else self.ip

    @property
    def infiniband(self) -> bool:
        """Whether the device's port is on InfiniBand, where LIDs make paths."""
        if self._infiniband is None:
            file = f"/sys/class/infiniband/{self.device}/ports/1/link_layer"
            self._infiniband = self.must(f"cat {file}").strip() == "InfiniBand"
        return self._infiniband

    def gid_option(self, option: str, peer: Side) -> list[str]:
        """The option by which a program gets the GID for RDMA with this peer, if it needs one."""
        if self.infiniband:
            return []
        return [option, str(self.gid_index(self.address_towards(peer)))]

    def gid_index(self, address: str = "") -> int:
        """The index of the GID of type RoCE v2 made from an IP address of this side.

        The address is `ip`, if none is given.
        """
        address = address or self.ip
        if address not in self._gid_indexes:
            self._gid_indexes[address] = self._find_gid(address)
        return self._gid_indexes[address]

    def forget_gids(self) -> None:
        """Forgets the indexes of GIDs, because the device has changed."""
        self._gid_indexes.clear()

    def wait_addresses(self) -> None:
        """Waits until the kernel knows that no other node has this side's IPv6 addresses.

        Until then the kernel resolves no neighbour for them, because it may not send from them
        (RFC 4862, 5.4): a queue pair whose GID is such an address cannot be connected.
        """
        self.must(
            "until ip -6 address show scope link | grep -q inet6 && "
            "! ip -6 address | grep -q ' tentative'; do sleep 0.05; done"
        )

    def wait_gid(self, address: str) -> None:
        """Waits until the device has the GID of an address that this side has just got."""
        self.forget_gids()
        self.must(
            f"cd /sys/class/infiniband/{self.device}/ports/1/gids; "
            f"until grep -q {_gid_of(address)} *; do sleep 0.05; done"
        )

    def _find_gid(self, address: str) -> int:
        # An RNIC has up to thousands of entries, most of them empty.
        script = (
            f"cd /sys/class/infiniband/{self.device}/ports/1 && "
            f"for i in $(grep -l {_gid_of(address)} gids/*); do "
            'i=${i#gids/}; echo "$i $(cat gid_attrs/types/$i)"; done'
        )
        for line in self.must(script).splitlines():
            index, kind = line.split(maxsplit=1)
            if kind == "RoCE v2":
                return int(index)
        raise LabError(self.channel.report(f"{self.device} has no RoCE v2 GID for {address}"))


def _gid_of(address: str) -> str:
    """The GID that the kernel makes from an IP address, as sysfs shows it."""
    return IPv6Address(address if ":" in address else f"::ffff:{address}").exploded
