# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A processor core for each host VM, shared with no other that this machine runs."""

from __future__ import annotations

import fcntl
import os
from typing import IO

from vrdma_lab import paths


class Core:
    """A core, taken by a lock that goes with this process.

    When all cores are taken, the last one is shared.
    """

    def __init__(self) -> None:
        self._lock: IO[str] | None = None
        folder = paths.cache() / "cores"
        folder.mkdir(parents=True, exist_ok=True)
        cores = sorted(os.sched_getaffinity(0), reverse=True)
        self.number = cores[0]
        for number in cores:
            lock = (folder / str(number)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            self.number, self._lock = number, lock
            break

    def release(self) -> None:
        """Lets another host VM have the core."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
