# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs the tools, several at a time, and ends them when this program is told to end."""
from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vrdma_check.check import CheckError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Ran:
    """How a program ended.  status: its exit status; output: stdout, then stderr."""
    status: int
    output: str
    error: str

    @property
    def lines(self) -> list[str]:
        return [line for line in (self.output + self.error).splitlines() if line.strip()]


class _Running:
    """The programs that run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._programs: set[subprocess.Popen[str]] = set()
        self._ending = False

    def start(self, command: Sequence[str], cwd: Path,
              environment: Mapping[str, str] | None) -> subprocess.Popen[str]:
        with self._lock:
            if self._ending:
                raise CheckError("interrupted")
            try:
                program = subprocess.Popen(
                    command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, text=True,
                    errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            except OSError as error:
                raise CheckError(f"cannot run {command[0]}: {error.strerror}") from error
            self._programs.add(program)
            return program

    def ended(self, program: subprocess.Popen[str]) -> None:
        with self._lock:
            self._programs.discard(program)

    def end_all(self) -> None:
        with self._lock:
            self._ending = True
            for program in self._programs:
                program.terminate()


_running = _Running()


def run(command: Sequence[str], cwd: Path,
        extra_environment: Mapping[str, str] | None = None) -> Ran:
    """Runs a program to its end."""
    environment = dict(os.environ, **extra_environment) if extra_environment else None
    program = _running.start(command, cwd, environment)
    try:
        output, error = program.communicate()
    finally:
        _running.ended(program)
    return Ran(program.returncode, output, error)


def end_all() -> None:
    """Ends what runs; nothing can be started afterwards."""
    _running.end_all()


def find(*names: str) -> str:
    """The first of the programs that is installed."""
    for name in names:
        if shutil.which(name):
            return name
    raise CheckError(f"{names[0]} is not installed: run scripts/check as root, or with sudo")


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """FUNCTION of each item, on as many threads as there are processors."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(function, items))


def shares(items: Sequence[Item]) -> list[Sequence[Item]]:
    """The items in as many parts as there are processors, none of them empty."""
    count = min(os.cpu_count() or 1, len(items))
    return [items[number::count] for number in range(count)]
