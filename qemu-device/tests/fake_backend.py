# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
"""A vhost-user backend that does nothing but remember what it was told.

It stands in for vrdmad where the QEMU device is tested: it answers the
handshake, keeps the rings' descriptors and maps into the shared memory region on demand.
"""
from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from patience import INTERVAL, Patience, receive

REQUESTS = {
    1: "GET_FEATURES", 2: "SET_FEATURES", 3: "SET_OWNER", 5: "SET_MEM_TABLE",
    8: "SET_VRING_NUM", 9: "SET_VRING_ADDR", 10: "SET_VRING_BASE", 11: "GET_VRING_BASE",
    12: "SET_VRING_KICK", 13: "SET_VRING_CALL", 14: "SET_VRING_ERR",
    15: "GET_PROTOCOL_FEATURES", 16: "SET_PROTOCOL_FEATURES", 17: "GET_QUEUE_NUM",
    18: "SET_VRING_ENABLE", 21: "SET_BACKEND_REQ_FD", 24: "GET_CONFIG", 25: "SET_CONFIG",
    34: "RESET_DEVICE",
}
BACKEND_CONFIG_CHANGE, BACKEND_SHMEM_MAP, BACKEND_SHMEM_UNMAP = 2, 9, 10

VERSION, REPLY, NEED_REPLY = 1, 4, 8
PROTOCOL_FEATURES_BIT = 30
MQ, REPLY_ACK, BACKEND_REQ, CONFIG, BACKEND_SEND_FD, RESET_DEVICE = 0, 3, 5, 9, 10, 13
SHM_SIZE_OFFSET, CONFIG_SIZE = 32, 64
STATUS_READY, STATUS_FAILED = 1, 2

# VRDMA_F_SRQ, INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED
DEFAULT_FEATURES = (1 << 0) | (1 << 28) | (1 << 29) | (1 << 32) | (1 << 34)


class Message(NamedTuple):
    name: str
    payload: bytes


def receive_exactly(sock: socket.socket, size: int, patient: bool = False) -> bytes:
    data = b""
    while len(data) < size:
        part = receive(sock, size - len(data)) if patient else sock.recv(size - len(data))
        if not part:
            raise ConnectionError("the peer is gone")
        data += part
    return data


def make_config(protocol_version: int = 1, max_qp: int = 100, status: int = STATUS_READY) -> bytes:
    guid, mac = b"\0\x11\x22\x33\x44\x55\x66\x77", b"\x52\x54\0\x12\x34\x56"
    return struct.pack("<IIII8s6sHQIIIIII", protocol_version, 16, 2, 1, guid, mac, 1, 0, max_qp,
                       100, 4096, 256, status, 0)


class BackendRequests:
    """The requests that go from the backend to QEMU."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)

    def request(self, number: int, payload: bytes = b"", fds: Iterable[int] = (),
                flags: int = NEED_REPLY) -> int | None:
        header = struct.pack("<III", number, VERSION | flags, len(payload))
        socket.send_fds(self.socket, [header + payload], list(fds))
        if not flags & NEED_REPLY:
            return None
        answer, _, size = struct.unpack("<III", receive_exactly(self.socket, 12, patient=True))
        assert (answer, size) == (number, 8)
        status: int = struct.unpack("<Q", receive_exactly(self.socket, 8, patient=True))[0]
        return status

    def map(self, offset: int, length: int, fds: Iterable[int], fd_offset: int = 0,
            writable: bool = True, shmid: int = 1) -> int | None:
        payload = struct.pack("<B7xQQQQ", shmid, fd_offset, offset, length, int(writable))
        return self.request(BACKEND_SHMEM_MAP, payload, fds)

    def unmap(self, offset: int, length: int, shmid: int = 1) -> int | None:
        return self.request(BACKEND_SHMEM_UNMAP,
                            struct.pack("<B7xQQQQ", shmid, 0, offset, length, 0))


class FakeBackend:
    def __init__(self, path: str, queues: int = 16, features: int = DEFAULT_FEATURES,
                 config: bytes | None = None,
                 without_protocol_features: Iterable[int] = ()) -> None:
        self.path = path
        self.queues = queues
        self.features = features
        self.config = bytearray(config or make_config())
        self.protocol_features = 0
        for bit in (MQ, REPLY_ACK, BACKEND_REQ, CONFIG, BACKEND_SEND_FD, RESET_DEVICE):
            if bit not in without_protocol_features:
                self.protocol_features |= 1 << bit
        # Called in the middle of RESET_DEVICE.
        self.on_reset: Callable[[FakeBackend], None] | None = None
        self.works = threading.Event()
        self.works.set()
        self.changed = threading.Condition()
        self.log: list[Message] = []
        self._forget_connection()
        self._listen()

    def _listen(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _forget_connection(self) -> None:
        self.connection: socket.socket | None = None
        self.channels: list[BackendRequests] = []
        self.shm_size: int | None = None
        self.acked_features: Any = None     # a number once the guest has accepted features
        self.kicks: dict[int, int] = {}
        self.calls: dict[int, int] = {}
        self.errors: dict[int, int] = {}
        self.addresses: dict[int, bytes] = {}
        self.enabled: set[int] = set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connection = connection
            try:
                self._serve(connection)
            except (ConnectionError, OSError):
                pass
            with self.changed:
                if self.connection is connection:
                    self._close_connection()
                self.changed.notify_all()

    def _close_connection(self) -> None:
        for channel in self.channels:
            channel.socket.close()
        for kept in (self.kicks, self.calls, self.errors):
            for fd in kept.values():
                os.close(fd)
        if self.connection:
            self.connection.close()
        self._forget_connection()

    def _serve(self, connection: socket.socket) -> None:
        while True:
            header, fds, _, _ = socket.recv_fds(connection, 12, 16)
            if not header:
                return
            header += receive_exactly(connection, 12 - len(header))
            number, flags, size = struct.unpack("<III", header)
            payload = receive_exactly(connection, size)
            self.works.wait()
            name = REQUESTS.get(number, str(number))
            answer = self._handle(name, payload, fds)
            if answer is None and flags & NEED_REPLY:
                answer = struct.pack("<Q", 0)
            with self.changed:
                self.log.append(Message(name, payload))
                self.changed.notify_all()
            if answer is not None:
                header = struct.pack("<III", number, VERSION | REPLY, len(answer))
                connection.sendall(header + answer)

    def _handle(self, name: str, payload: bytes, fds: list[int]) -> bytes | None:
        """Returns the answer that the message itself demands, or None."""
        if name == "GET_FEATURES":
            return struct.pack("<Q", self.features | 1 << PROTOCOL_FEATURES_BIT)
        if name == "GET_PROTOCOL_FEATURES":
            return struct.pack("<Q", self.protocol_features)
        if name == "GET_QUEUE_NUM":
            return struct.pack("<Q", self.queues)
        if name == "GET_CONFIG":
            offset, size, _ = struct.unpack("<III", payload[:12])
            return payload[:12] + bytes(self.config[offset:offset + size]).ljust(size, b"\0")
        if name == "GET_VRING_BASE":
            index = payload[0]
            if index in self.kicks:
                os.close(self.kicks.pop(index))
            return payload
        if name == "SET_CONFIG":
            offset, size, _ = struct.unpack("<III", payload[:12])
            if (offset, size) == (SHM_SIZE_OFFSET, 8):
                self.shm_size = struct.unpack("<Q", payload[12:20])[0]
        elif name == "SET_FEATURES":
            self.acked_features = struct.unpack("<Q", payload)[0]
        elif name == "SET_BACKEND_REQ_FD":
            self.channels.append(BackendRequests(fds.pop()))
        elif name == "SET_VRING_ADDR":
            self.addresses[payload[0]] = payload
        elif name == "SET_VRING_ENABLE":
            index, on = struct.unpack("<II", payload)
            (self.enabled.add if on else self.enabled.discard)(index)
        elif name in ("SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ERR") and fds:
            kept = {"SET_VRING_KICK": self.kicks, "SET_VRING_CALL": self.calls,
                    "SET_VRING_ERR": self.errors}[name]
            if payload[0] in kept:
                os.close(kept[payload[0]])
            kept[payload[0]] = fds.pop()
        elif name == "RESET_DEVICE" and self.on_reset:
            self.on_reset(self)
        for fd in fds:
            os.close(fd)
        return None

    # The interface for the tests.

    @property
    def channel(self) -> BackendRequests:
        """The latest one is the one that counts."""
        return self.channels[-1]

    def names(self) -> list[str]:
        return [message.name for message in self.log]

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        with self.changed:
            patience = Patience()
            while not self.changed.wait_for(condition, timeout=INTERVAL):
                if patience.over:
                    raise AssertionError(f"the backend waited in vain for {what}; "
                                         f"it got {self.names()}")

    def hang(self) -> None:
        """As a stopped daemon: its sockets are there, and nobody answers."""
        self.works.clear()

    def go_on(self) -> None:
        self.works.set()

    def be_killed(self) -> None:
        """While nobody answers: every descriptor is closed at once."""
        with self.changed:
            self._close_connection()

    def die(self) -> None:
        """As a killed daemon: every descriptor is closed at once."""
        self.listener.close()
        os.unlink(self.path)
        if self.connection:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.wait_for(lambda: self.connection is None, "its own end")

    def rise(self) -> None:
        self.log = []
        self._listen()
