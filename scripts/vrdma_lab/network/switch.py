# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The guests' Ethernet: a switch in this process, which QEMU's "stream" netdevs connect to.

QEMU's multicast sockets would need a multicast-capable host network and a port that no other run
uses. Stream sockets in the lab's folder need neither, and lose nothing.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from pathlib import Path

_LENGTH = struct.Struct(">I")  # stands before each frame on a stream netdev's socket
_MAX_FRAME = 1 << 17
_MAX_BACKLOG = 1 << 22


class _Port:
    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.received = bytearray()
        self.unsent = bytearray()


class Switch:
    """Learns where each MAC address is and forwards frames in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._wake, self._woken = socket.socketpair()
        self._ports: set[_Port] = set()
        self._addresses: dict[bytes, _Port] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)
        self._thread.start()

    @property
    def netdev(self) -> str:
        """The value of QEMU's -netdev that connects it to this switch."""
        return f"stream,server=off,addr.type=unix,addr.path={self.path}"

    def close(self) -> None:
        """Ends the thread and closes all connections."""
        self._wake.close()
        self._thread.join()
        for port in list(self._ports):
            self._drop(port)
        self._selector.close()
        self._listener.close()
        self._woken.close()

    def _run(self) -> None:
        while True:
            for key, events in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                    continue
                port: _Port = key.data
                if events & selectors.EVENT_WRITE and port in self._ports:
                    self._flush(port)
                if events & selectors.EVENT_READ and port in self._ports:
                    self._receive(port)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        port = _Port(connection)
        self._ports.add(port)
        self._selector.register(connection, selectors.EVENT_READ, port)

    def _drop(self, port: _Port) -> None:
        self._ports.discard(port)
        self._addresses = {
            mac: owner for mac, owner in self._addresses.items() if owner is not port
        }
        self._selector.unregister(port.socket)
        port.socket.close()

    def _receive(self, port: _Port) -> None:
        try:
            data = port.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(port)
            return
        port.received += data
        while len(port.received) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(port.received)
            if not 14 <= length <= _MAX_FRAME:
                self._drop(port)
                return
            end = _LENGTH.size + length
            if len(port.received) < end:
                break
            self._forward(port, bytes(port.received[:end]))
            del port.received[:end]

    def _forward(self, source: _Port, framed: bytes) -> None:
        destination, sender = framed[4:10], framed[10:16]
        self._addresses[sender] = source
        known = self._addresses.get(destination)
        for port in [known] if known is not None else list(self._ports - {source}):
            # A guest that does not read, being stopped or busy, loses frames: they must not fill
            # this process.
            if len(port.unsent) < _MAX_BACKLOG:
                port.unsent += framed
                self._flush(port)

    def _flush(self, port: _Port) -> None:
        try:
            while port.unsent:
                del port.unsent[: port.socket.send(port.unsent)]
            events = selectors.EVENT_READ
        except BlockingIOError:
            events = selectors.EVENT_READ | selectors.EVENT_WRITE
        except OSError:
            self._drop(port)
            return
        self._selector.modify(port.socket, events, port)
