# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""One end of a command channel into a machine.

An agent is at the other end; agent.c has the protocol. The times that a wait takes are those of
progress.py: seconds in which nothing moves.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import (
    STEP_STILL,
    STEP_TAKES,
    Look,
    Patience,
    StepPatience,
    work_of_children,
)


_LAST_BYTES = 4096  # of what a command printed, that are kept for reports

# The path of a unix socket, the address of a TCP socket, or a socket that is connected already.
Address = Path | tuple[str, int] | socket.socket


@dataclass(frozen=True)
class Outcome:
    """The end of a command in a machine."""

    status: int
    output: str

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return self.status == 0


class Job:
    """A command that runs in a machine."""

    def __init__(
        self, channel: Channel, number: int, command: str, sink: Callable[[bytes], object] | None
    ) -> None:
        self._channel = channel
        self.number = number
        self.command = command
        self.sink = sink
        self.printed = 0  # bytes
        self._last = b""
        self.received = bytearray()
        self.status: int | None = None

    @property
    def output(self) -> str:
        """Everything that the command has printed."""
        return bytes(self.received).decode(errors="replace")

    def take(self, data: bytes) -> None:
        """The command has printed something."""
        self.printed += len(data)
        self._last = (self._last + data)[-_LAST_BYTES:]
        if self.sink is not None:
            self.sink(data)
        else:
            self.received += data

    @property
    def last_lines(self) -> list[str]:
        """The last lines that the command has printed, wherever they went."""
        return self._last.decode(errors="replace").splitlines()[-15:]

    @property
    def done(self) -> bool:
        """Whether the command has ended."""
        return self.status is not None

    def wait(self, timeout: float = 60) -> Outcome:
        """The command's end; one that stands still for so long is killed, and LabError raised."""
        patience = self._channel.patience(self, timeout)
        problem = f"command did not end: {self.command}"
        self._channel.wait(lambda: self.done, patience, problem, self)
        return self._outcome()

    def wait_through(
        self,
        examine: Callable[[Job], str] = lambda job: "",
        still: float = STEP_STILL,
        step: float = STEP_TAKES,
    ) -> Outcome:
        """The end of a command of many steps, which has this patience for each (StepPatience).

        LabError tells what `examine` says of a command that is given up, before it is killed.
        """
        patience = self._channel.step_patience(self, still, step)
        self._channel.wait(lambda: self.done, patience, "a command hangs", self, examine)
        return self._outcome()

    def _outcome(self) -> Outcome:
        assert self.status is not None
        return Outcome(self.status, self.output)

    def wait_for(self, text: str, timeout: float = 60) -> None:
        """Waits until the command has printed the text."""
        self._channel.wait(
            lambda: text in self.output or self.done,
            self._channel.patience(self, timeout),
            f"{text!r} did not come from: {self.command}",
            self,
        )
        if text not in self.output:
            raise LabError(
                self._channel.report(f"ended without printing {text!r}: {self.command}", self)
            )

    def wait_or(self, other: Job, timeout: float = 60) -> bool:
        """Waits until this command or the other has ended; whether this one has."""
        self._channel.wait(
            lambda: self.done or other.done,
            self._channel.patience(self, timeout),
            f"did not end: {self.command}",
            self,
        )
        return self.done

    def signal(self, number: int) -> None:
        """Sends a signal to the command."""
        self._channel.send_signal(self, number)

    def kill(self, timeout: float = 20) -> Outcome:
        """Kills the command, unless it has ended; its end."""
        if not self.done:
            self.signal(signal.SIGKILL)
        return self.wait(timeout)


def _connected(address: Path | tuple[str, int]) -> socket.socket:
    if isinstance(address, tuple):
        return socket.create_connection(address, 5)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(address))
    except OSError:
        connection.close()
        raise
    return connection


class Channel:
    """One machine's command channel.

    Commands go out; a thread takes in what they print and how they end.
    """

    def __init__(
        self,
        name: str,
        address: Address,
        explain: Callable[[], str],
        printed: Callable[[], int] = lambda: 0,
        look: Look = work_of_children,
    ) -> None:
        """`printed` is a number that grows while the machine says something.

        `look` is the work of the processes that the machine depends on.
        """
        self._printed = printed
        self._look = look
        self._name = name
        self._address = address
        self._explain = explain
        self._socket: socket.socket | None = None
        self._changed = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._next = 1
        self._thread: threading.Thread | None = None
        self.ready = False
        self.lost = False

    def connect(self, check: Callable[[], None], timeout: float) -> None:
        """Connects and waits for the agent's greeting; `check` raises when the machine is gone."""
        patience = Patience(timeout, self._printed, self._look)
        if self._socket is None:
            self._socket = self._open(check, patience)
            self._socket.settimeout(None)
            self._thread = threading.Thread(
                target=self._receive, name=f"channel {self._name}", daemon=True
            )
            self._thread.start()
        with self._changed:
            while not self.ready:
                check()
                if self.lost:
                    raise LabError(self.report("closed the command channel as it booted"))
                if patience.over:
                    raise LabError(self.report(f"did not boot: {patience.why()}"))
                self._changed.wait(0.2)

    def _open(self, check: Callable[[], None], patience: Patience) -> socket.socket:
        if isinstance(self._address, socket.socket):
            return self._address
        # QEMU makes the socket as it starts, and there is nothing to wait for until then.
        while True:
            try:
                return _connected(self._address)
            except OSError:
                check()
                if patience.over:
                    problem = f"did not open the command channel: {patience.why()}"
                    raise LabError(self.report(problem)) from None
                time.sleep(0.02)

    def report(self, problem: str, job: Job | None = None) -> str:
        """A problem with a command's output so far, and what the machine said last."""
        text = f"{self._name}: {problem}"
        if job is not None and job.last_lines:
            text += "\n  its output so far:\n" + "\n".join(
                "    " + line for line in job.last_lines
            )
        return text + "\n" + self._explain()

    def start(self, command: str, sink: Callable[[bytes], object] | None = None) -> Job:
        """Starts a shell command; what it prints goes to the sink, or else into the job."""
        with self._changed:
            if self._socket is None or self.lost:
                raise LabError(self.report(f"is gone; cannot run: {command}"))
            job = Job(self, self._next, command, sink)
            self._jobs[job.number] = job
            self._next += 1
            script = command.encode()
            self._socket.sendall(b"R %d %d\n%s" % (job.number, len(script), script))
        return job

    def send_signal(self, job: Job, number: int) -> None:
        """Sends a signal to a command, if its machine is still there."""
        with self._changed:
            if self._socket is not None and not self.lost:
                try:
                    self._socket.sendall(b"K %d %d\n" % (job.number, number))
                except OSError:
                    pass  # the thread that receives finds the loss

    def patience(self, job: Job, seconds: float) -> Patience:
        """The patience with a command."""
        return Patience(seconds, lambda: self._printed() + job.printed, self._look)

    def step_patience(self, job: Job, still: float, step: float) -> StepPatience:
        """The patience with each step of a command, which alone shows its steps."""
        return StepPatience(still, step, lambda: job.printed, self._look)

    def wait(
        self,
        condition: Callable[[], bool],
        patience: Patience | StepPatience,
        problem: str,
        job: Job,
        examine: Callable[[Job], str] = lambda job: "",
    ) -> None:
        """Waits for a condition on a command.

        If it does not come true, the command is examined and killed, and LabError raised.
        """
        with self._changed:
            while not condition():
                if self.lost:
                    raise LabError(self.report(f"went away during: {job.command}", job))
                if patience.over:
                    break
                self._changed.wait(patience.interval)
            else:
                return
        report = self.report(f"{problem} ({patience.why()})", job) + examine(job)
        self.send_signal(job, signal.SIGKILL)
        raise LabError(report)

    def _receive(self) -> None:
        assert self._socket is not None
        stream = self._socket.makefile("rb")
        try:
            for header in stream:
                kind, number, value = header.split()
                data = stream.read(int(value)) if kind == b"O" else b""
                with self._changed:
                    job = self._jobs.get(int(number))
                    if kind == b"H":
                        self.ready = True
                    elif kind == b"O" and job is not None:
                        job.take(data)
                    elif kind == b"X" and job is not None:
                        job.status = int(value)
                        del self._jobs[job.number]
                    self._changed.notify_all()
        except (OSError, ValueError):
            pass
        with self._changed:
            self.lost = True
            self._changed.notify_all()

    def close(self) -> None:
        """Closes the channel and ends the thread."""
        if self._socket is not None:
            # shutdown() ends the thread's read; close() alone would not.
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if self._thread is not None:
                self._thread.join()
            self._socket.close()
