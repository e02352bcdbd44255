# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs the programs of the preparation, in steps that have a log each."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from vrdma_lab import paths
from vrdma_lab.children import end_tree
from vrdma_lab.errors import LabError

_ATTEMPTS = 4
_SHOWN_LINES = 40

Command = Sequence["str | Path"]


class CommandFailed(LabError):
    """A program ended with a status other than 0."""


class Runner:
    """Runs programs one after another.

    Their output goes to `output`, or where this program's own output goes.
    """

    def __init__(self, output: IO[bytes] | None = None) -> None:
        self._output = output

    def say(self, text: str) -> None:
        """Writes a line to where the programs' output goes."""
        if self._output is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._output.write(f"{text}\n".encode())
            self._output.flush()

    def run(self, command: Command, folder: Path | None = None) -> None:
        """Runs a program that must succeed."""
        self.pipe(command, folder=folder)

    def pipe(self, *commands: Command, folder: Path | None = None) -> None:
        """Runs programs that each read the output of the one before; all must succeed."""
        processes: list[subprocess.Popen[bytes]] = []
        try:
            source: IO[bytes] | int = subprocess.DEVNULL
            for command in commands:
                last = len(processes) == len(commands) - 1
                process = subprocess.Popen(
                    [str(word) for word in command],
                    cwd=folder,
                    stdin=source,
                    stdout=self._output if last else subprocess.PIPE,
                    stderr=self._output,
                )
                if not isinstance(source, int):
                    source.close()
                source = process.stdout or subprocess.DEVNULL
                processes.append(process)
            statuses = [process.wait() for process in processes]
        finally:
            for process in processes:
                if process.poll() is None:
                    end_tree(process.pid)
                    process.wait()
        for status, command in zip(statuses, commands):
            if status != 0:
                raise CommandFailed(f"status {status} from: {shown(command)}")

    def read(self, command: Command) -> str:
        """The output of a program that must succeed."""
        words = [str(word) for word in command]
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._output, text=True
        )
        if done.returncode != 0:
            raise CommandFailed(f"status {done.returncode} from: {shown(command)}")
        return done.stdout

    def retry(self, action: Callable[[], None]) -> None:
        """Repeats an action that fails, and says so: mirrors answer 404 now and then."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                action()
                return
            except CommandFailed as error:
                self.say(f"vrdma: attempt {attempt} of {_ATTEMPTS} failed: {error}")
                if attempt == _ATTEMPTS:
                    raise


class Steps:
    """The steps of the preparation.

    Each says its title on a stream, and has the output of its programs in a log.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextmanager
    def step(self, title: str, log_name: str) -> Iterator[Runner]:
        """A step; if it fails, standard error gets the end of its log."""
        print(title, file=self._stream, flush=True)
        folder = paths.logs()
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / f"{log_name}.log"
        with log.open("wb") as output:
            try:
                yield Runner(output)
            except (LabError, OSError) as error:
                output.write(f"vrdma: {error}\n".encode())
                output.flush()
                print(_last_lines(log), file=sys.stderr, flush=True)
                raise LabError(f"failed: {title} (all of its output: {log})") from None


def processors() -> str:
    """The number of processors that this process may use, as make and others take it after -j."""
    return str(len(os.sched_getaffinity(0)))


def shown(command: Command) -> str:
    """A command as a shell takes it."""
    return shlex.join(str(word) for word in command)


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
