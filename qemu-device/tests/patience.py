# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
"""How long a wait for QEMU goes on: by the time that QEMU had, not by the clock alone.

A busy computer makes QEMU slow.  So a second in which the tests and their QEMUs got half of the
processor time that they wanted counts half.
"""
from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable

SECONDS = 20
INTERVAL = 0.5
IDLE = 0.1      # of a processor; who wants less waits for something else


def _children() -> list[str]:
    found = []
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children") as children:
                found += children.read().split()
        except FileNotFoundError:
            pass    # it has just ended
    return found


def _work() -> dict[str, tuple[int, int]]:
    """Nanoseconds that each thread of the tests and their QEMUs ran, and waited to run."""
    found = {}
    for process in ["self", *_children()]:
        try:
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/schedstat") as schedstat:
                    ran, waited, _ = schedstat.read().split()
                found[thread] = int(ran), int(waited)
        except (FileNotFoundError, ProcessLookupError):
            pass    # it has just ended
    return found


class Patience:
    """The patience of one wait."""

    def __init__(self) -> None:
        self._taken = 0.0
        self._looked_at = time.monotonic()
        self._work = _work()

    @property
    def over(self) -> bool:
        seconds = time.monotonic() - self._looked_at
        if seconds >= INTERVAL:
            work, before = _work(), self._work
            known = work.keys() & before.keys()
            ran = sum(work[thread][0] - before[thread][0] for thread in known) / 1e9
            waited = sum(work[thread][1] - before[thread][1] for thread in known) / 1e9
            busy = ran + waited >= IDLE * seconds
            self._taken += seconds * ran / (ran + waited) if busy else seconds
            self._looked_at += seconds
            self._work = work
        return self._taken >= SECONDS


def wait_until(condition: Callable[[], object], what: str) -> None:
    patience = Patience()
    while not condition():
        if patience.over:
            raise AssertionError(f"waited in vain for {what}")


def receive(sock: socket.socket, size: int) -> bytes:
    """Some bytes, at most `size`; none at the end."""
    patience = Patience()
    while not select.select([sock], [], [], INTERVAL)[0]:
        if patience.over:
            raise AssertionError("waited in vain for an answer")
    return sock.recv(size)


def run_to_end(process: subprocess.Popen[str]) -> str:
    """What a process says until its end."""
    patience = Patience()
    while True:
        try:
            return process.communicate(timeout=INTERVAL)[0]
        except subprocess.TimeoutExpired:
            if patience.over:
                process.kill()
                raise AssertionError(f"waited in vain for the end of {process.args!r}") from None
