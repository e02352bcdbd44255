# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Joins this program's terminal to a socket whose other end is a terminal of a virtual machine."""

from __future__ import annotations

import os
import selectors
import shutil
import socket
import sys
import termios
import tty
from collections.abc import Callable

_END_OF_INPUT = b"\x04"


def size() -> tuple[int, int]:
    """The terminal's columns and rows."""
    columns, rows = shutil.get_terminal_size()
    return columns, rows


def join(connection: socket.socket, done: Callable[[], bool]) -> None:
    """Passes bytes on in both directions until `done` says that the other program has ended."""
    source = sys.stdin.fileno()
    saved = termios.tcgetattr(source)
    try:
        tty.setraw(source)
        _carry(connection, source, done)
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, saved)


def _carry(connection: socket.socket, source: int, done: Callable[[], bool]) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(source, selectors.EVENT_READ)
        while True:
            ready = selector.select(0.1)
            if not ready and done():
                return
            for key, _ in ready:
                if key.fileobj is connection:
                    data = connection.recv(1 << 16)
                    if not data:
                        return
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                    continue
                data = os.read(source, 1 << 12)
                if not data:
                    selector.unregister(source)
                connection.sendall(data or _END_OF_INPUT)
