# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The monitor of a running guest's QEMU."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import INTERVAL, Patience

# Seconds in which nothing moves.
TIMEOUT = 60.0


def monitor_options(path: Path) -> list[str]:
    """QEMU's options for a monitor on this socket."""
    return ["-qmp", f"unix:{path},server=on,wait=off"]


class Monitor:
    """A connection to QEMU's machine monitor (QMP)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(INTERVAL)
        self._socket.connect(str(path))
        self._received = bytearray()
        self._events: list[dict[str, Any]] = []
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def _read(self) -> Any:
        """The next message of QEMU."""
        patience = Patience(TIMEOUT)
        while b"\n" not in self._received:
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                if patience.over:
                    raise LabError(f"QEMU's monitor said nothing, {patience.why()}") from None
                continue
            if not data:
                raise LabError("QEMU closed its monitor")
            self._received += data
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return json.loads(line)

    def execute(self, command: str, **arguments: str | int) -> Any:
        """Runs a command that must succeed; its result."""
        request = json.dumps({"execute": command, "arguments": arguments}) + "\n"
        self._socket.sendall(request.encode())
        while True:
            message = self._read()
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise LabError(f"{command}: {message['error']['desc']}")
            else:
                return message["return"]

    def human(self, command: str) -> str:
        """The human monitor's output for a command."""
        answer: str = self.execute("human-monitor-command", **{"command-line": command})
        return answer

    def wait_deleted(self, device: str) -> None:
        """Waits until the guest has let the device go and QEMU has freed it."""
        while not any(
            e["event"] == "DEVICE_DELETED" and e["data"].get("device") == device
            for e in self._events
        ):
            message = self._read()
            if "event" in message:
                self._events.append(message)

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()
