# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Another RDMA host, as a suite sees it (host_server.py runs there)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from vrdma_lab.errors import LabError
from vrdma_lab.host.rdma_host import BARE_METAL, Peer
from vrdma_lab.lab.daemon import guest_name
from vrdma_lab.machine.channel import Channel
from vrdma_lab.machine.progress import Work, work_of_children
from vrdma_lab.machine.side import Side
from vrdma_lab.network.host_network import HostNetwork, guest_underlay
from vrdma_lab.network.rnics import KINDS
from vrdma_lab.network.overlay import guest_address
from vrdma_lab.vm.guest import DEVICE

_TIMEOUT = 120.0  # seconds in which nothing moves
_LIMIT = 900.0  # seconds for an answer of the other host's lab, a last resort


class _Machine(Side):
    """The other host, or a guest on it."""

    def __init__(
        self, name: str, ip: str, underlay: str, device: str, channel: Channel, native: bool
    ) -> None:
        super().__init__(name, ip, underlay, device, channel)
        self.native = native


class RemoteHost:
    """Starts vrdmad and guests on the host with this number.

    Everything there ends with the `with` block.
    """

    def __init__(self, number: int, rnic: str) -> None:
        self.network = HostNetwork(number, underlay="")
        self._device = KINDS[rnic].device
        self._channels: list[Channel] = []
        self._control = self._open("control")
        self._control.settimeout(_LIMIT)
        self._stream = self._control.makefile("rw")
        channel = self._channel(f"host{number}", self._open("shell"), lambda: "")
        self.native: Side = _Machine(
            f"host{number}",
            self.network.address,
            self.network.underlay_address,
            self._device,
            channel,
            native=True,
        )

    def __enter__(self) -> RemoteHost:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for channel in self._channels:
            channel.close()
        self._stream.close()
        self._control.close()

    def _open(self, what: str) -> socket.socket:
        connection = socket.create_connection(self.network.server, _TIMEOUT)
        connection.sendall(json.dumps({"open": what}).encode() + b"\n")
        return connection

    def _channel(
        self, name: str, address: socket.socket | tuple[str, int], explain: Any
    ) -> Channel:
        channel = Channel(name, address, explain, look=self._work)
        self._channels.append(channel)
        channel.connect(lambda: None, _TIMEOUT)
        return channel

    def _work(self) -> dict[int, Work]:
        """The work of the other host's processes, by negative numbers, and of this host's."""
        there = {-int(pid): Work(*work) for pid, work in self._call("work").items()}
        return {**work_of_children(), **there}

    def _call(self, name: str, **arguments: Any) -> Any:
        self._stream.write(json.dumps({"call": name, **arguments}) + "\n")
        self._stream.flush()
        line = self._stream.readline()
        if not line:
            raise LabError(f"host{self.network.number} went away during {name}")
        answer = json.loads(line)
        if "error" in answer:
            raise LabError(f"host{self.network.number}: {answer['error']}")
        return answer["result"]

    def serve(
        self,
        numbers: Iterable[int],
        spin_us: int | None = None,
        peers: Iterable[Peer] = (BARE_METAL,),
    ) -> None:
        """Starts vrdmad for these guests, on the host's RNIC."""
        self._call(
            "serve",
            numbers=list(numbers),
            spin_us=spin_us,
            peers=[[peer.gid, peer.via] for peer in peers],
        )

    def boot(self, numbers: Iterable[int]) -> list[Side]:
        """Starts guests and waits until all have booted."""
        numbers = list(numbers)
        for number in numbers:
            self._call("launch", number=number)
        return [self._connect(number) for number in numbers]

    def _connect(self, number: int) -> Side:
        name = guest_name(number)
        address = self.network.agent_of(number)
        channel = self._channel(
            f"guest {name}", address, lambda: str(self._call("explain", number=number))
        )
        return _Machine(
            name, guest_address(number), guest_underlay(number), DEVICE, channel, native=False
        )

    def kill_daemon(self) -> None:
        """Kills vrdmad (SIGKILL)."""
        self._call("kill_daemon")
