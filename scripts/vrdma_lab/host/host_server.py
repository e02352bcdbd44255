# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Serves the RDMA host that it runs on to a suite on another host (remote_host.py is its client).

A connection begins with one line of JSON. {"open": "shell"} makes it the command channel of an
agent. {"open": "control"} is followed by one request a line, {"call": name, ...arguments}, and each
is answered by a line, {"result": ...} or {"error": text}. When the control connection closes,
everything that was started for it ends.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vrdma_lab.children import Child, run_program
from vrdma_lab.errors import LabError
from vrdma_lab.host.rdma_host import Peer, RdmaHost
from vrdma_lab.image.host_initramfs import SHARE
from vrdma_lab.machine.progress import work_of_children


class _Control:
    """The requests of a control connection; each is a method."""

    def __init__(self, host: RdmaHost) -> None:
        self._host = host
        self._calls: dict[str, Callable[..., Any]] = {
            "serve": self.serve,
            "launch": self.launch,
            "kill_daemon": self.kill_daemon,
            "explain": self.explain,
            "work": self.work,
        }

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        call = self._calls.get(request.pop("call", ""))
        if call is None:
            return {"error": "there is no such call"}
        try:
            return {"result": call(**request)}
        except LabError as error:
            return {"error": str(error)}

    def serve(self, numbers: list[int], spin_us: int | None, peers: list[list[str]]) -> None:
        """Starts vrdmad for some guests."""
        self._host.serve(numbers, spin_us=spin_us, peers=[Peer(*peer) for peer in peers])

    def launch(self, number: int) -> None:
        """Starts a guest."""
        self._host.launch(number)

    def kill_daemon(self) -> None:
        """Kills vrdmad."""
        self._host.daemon.child.kill()

    def work(self) -> dict[int, list[float]]:
        """What the processes of this host have done: their seconds on and for a processor."""
        return {pid: [work.ran, work.waited] for pid, work in work_of_children().items()}

    def explain(self, number: int) -> str:
        """The last output of a guest and of vrdmad."""
        guests = [guest for guest in self._host.guests if guest.number == number]
        return (
            "".join(guest.explain() for guest in guests)
            + f"\n  its vrdmad:\n{self._host.daemon.child.tail()}"
        )


class _Server:
    def __init__(self, host: RdmaHost) -> None:
        self._host = host
        self._listener = socket.create_server(host.network.server)
        self._agents: list[Child] = []

    def run(self) -> None:
        """Serves one control connection to its end."""
        print("ready", flush=True)
        try:
            while not self._take(self._listener.accept()[0]):
                pass
        finally:
            self._listener.close()
            for agent in self._agents:
                agent.stop()

    def _take(self, connection: socket.socket) -> bool:
        """Starts what the connection asks for.

        True if it was the control connection, which has ended then.
        """
        line = bytearray()
        # The line is read byte by byte, because the bytes after it are for the agent.
        while not line.endswith(b"\n"):
            byte = connection.recv(1)
            if not byte:
                connection.close()
                return False
            line += byte
        if json.loads(line)["open"] == "shell":
            name = f"agent{len(self._agents)}"
            log = Path(self._host.folder / f"{name}.log")
            self._agents.append(Child(name, [str(SHARE / "agent")], log, stdin=connection.fileno()))
            connection.close()
            return False
        with connection:
            self._serve(connection)
        return True

    def _serve(self, connection: socket.socket) -> None:
        control = _Control(self._host)
        with connection.makefile("rw") as stream:
            # Connections for shells come while the control connection is open.
            threading.Thread(target=self._take_shells, daemon=True).start()
            for line in stream:
                stream.write(json.dumps(control.answer(json.loads(line))) + "\n")
                stream.flush()

    def _take_shells(self) -> None:
        try:
            while True:
                self._take(self._listener.accept()[0])
        except OSError:
            pass  # the listener is closed


def _serve() -> int:
    with RdmaHost(remote=True) as host:
        _Server(host).run()
    return 0


if __name__ == "__main__":
    sys.exit(run_program("host_server", _serve))
