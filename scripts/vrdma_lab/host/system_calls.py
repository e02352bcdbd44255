# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The system calls of a program, as a kernel's trace points count them."""

from __future__ import annotations

import re
from types import TracebackType

from vrdma_lab.machine.side import Side

_TRACING = "/sys/kernel/tracing"
_ENTERED = f"{_TRACING}/events/raw_syscalls/sys_enter"


class SystemCalls:
    """Counts the system calls of all processes with a name, from the beginning of the block."""

    def __init__(self, side: Side, program: str) -> None:
        self._side = side
        self._program = program

    def __enter__(self) -> SystemCalls:
        self._side.must(
            f"[ -d {_TRACING}/events ] || mount -t tracefs tracefs {_TRACING}; "
            f"echo hist:keys=common_pid > {_ENTERED}/trigger"
        )
        return self

    def count(self) -> int:
        """The system calls so far."""
        processes = set(self._side.must(f"pidof {self._program}").split())
        counted = re.findall(
            r"common_pid:\s*(\d+) \} hitcount:\s*(\d+)", self._side.must(f"cat {_ENTERED}/hist")
        )
        return sum(int(calls) for process, calls in counted if process in processes)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._side.must(f"echo '!hist:keys=common_pid' > {_ENTERED}/trigger")
