# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The monitor of a running guest's QEMU."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from vrdma_lab.errors import LabError

# Seconds. A busy machine makes an emulated guest slow to let a device go.
TIMEOUT = 180.0


def monitor_options(path: Path) -> list[str]:
    """QEMU's options for a monitor on this socket."""
    return ["-qmp", f"unix:{path},server=on,wait=off"]


class Monitor:
    """A connection to QEMU's machine monitor (QMP)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rw")
        self._events: list[dict[str, Any]] = []
        self._stream.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: str) -> Any:
        """Runs a command that must succeed; its result."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        while True:
            message = json.loads(self._stream.readline())
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
            message = json.loads(self._stream.readline())
            if "event" in message:
                self._events.append(message)

    def close(self) -> None:
        """Closes the connection."""
        self._stream.close()
        self._socket.close()
