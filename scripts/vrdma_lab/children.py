# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Child processes and the folder they work in.

None of them outlives this process, however it ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from vrdma_lab.errors import Interrupted, LabError

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_on_signals() -> None:
    """Makes the signals that end a program unwind it, so that everything is cleaned up."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        # A second signal must not interrupt the cleaning up.
        for each in ENDING_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    for each in ENDING_SIGNALS:
        signal.signal(each, interrupt)


def run_program(name: str, act: Callable[[], int]) -> int:
    """Runs a program that the scripts start; its status.

    Standard error says what failed.  A signal gives 128 and the number of the signal.
    """
    raise_on_signals()
    try:
        return act()
    except LabError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        return 128 + interrupted.signal_number


class WorkFolder:
    """A private folder that goes with this process, even when this process is killed.

    A guardian process waits for the other end of its pipe to close, which the kernel does whatever
    ends this process. The guardian removes the folder then.
    """

    def __init__(self) -> None:
        # The path is short, because the names of sockets are limited to 107 bytes.
        self.path = Path(tempfile.mkdtemp(prefix="vrdma-"))
        self._pipe, theirs = os.pipe()[::-1]
        try:
            self._guardian = subprocess.Popen(
                [
                    "sh",
                    "-c",
                    'trap "" INT TERM HUP; cd /; read -r _; rm -rf -- "$1"',
                    "vrdma-guardian",
                    str(self.path),
                ],
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(theirs)

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._pipe)
        self._guardian.wait()


class Child:
    """A process that the kernel kills when this one dies; its output goes to a file."""

    def __init__(
        self,
        name: str,
        command: list[str],
        log: Path,
        environment: dict[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            # The child has a session of its own: Ctrl-C reaches the lab alone, which then ends its
            # children in order.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def tail(self, lines: int = 15) -> str:
        """The last lines of the output, indented."""
        return tail(self.log, lines)

    def check(self) -> None:
        """Raises when the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise LabError(f"{self.name} ended with status {status}; it said last:\n{self.tail()}")

    def kill(self) -> None:
        """Kills the process and waits for its end."""
        if self.running:
            self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 5) -> int:
        """Asks the process to end (SIGTERM), kills it when it does not, and returns its status."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def end_tree(pid: int) -> None:
    """Asks a process and all that it has started to end (SIGTERM)."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    for child in children:
        end_tree(int(child))
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


def size_of(path: Path) -> int:
    """The size of a log, which grows with what is written into it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, indented."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return "    (nothing)"
    kept = [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join("    " + line for line in kept) or "    (nothing)"
