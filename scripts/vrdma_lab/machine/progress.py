# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""How long to wait for machines: as long as they move.

A busy computer makes everything slow, and nothing still. So a wait does not end by the clock while
a process of the lab (the QEMU of a machine, vrdmad) works or waits for a processor, or while a
machine prints. The wait ends when nothing has moved for its time, or when a process has worked ten
times as long, which is a machine that runs in circles. A wait for a program of many steps begins
anew with each step.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab.errors import LabError

# Seconds between two looks at the processes.
INTERVAL = 1.0
# A process that wants less than this part of a processor stands still: an idle guest has its timer,
# and an emulated host with two idle guests wants 0.1.
IDLE = 0.2
# How many times its patience a wait lets one process work, or machines print.
CIRCLES = 10.0

# Seconds for each step of a program that tests something. Its tests wait for 180 s in which nothing
# moves, and say then what failed, so it has to have more. The whole of the lab's suite perftest,
# which has the most to do, takes 640 s.
STEP_STILL = 300.0
STEP_TAKES = 900.0

_TICKS = 1e9  # in a second, of schedstat


@dataclass(frozen=True)
class Work:
    """What a process has done so far, in seconds of all its threads."""

    ran: float  # on a processor
    waited: float  # for a processor, able to run


def work_of(pid: int) -> Work:
    """The work of a process; none, if it has ended."""
    ran = waited = 0
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return Work(0, 0)
    for thread in threads:
        try:
            numbers = (thread / "schedstat").read_text().split()
        except OSError:
            continue  # it has just ended
        ran += int(numbers[0])
        waited += int(numbers[1])
    return Work(ran / _TICKS, waited / _TICKS)


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have started."""
    found = []
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
    for thread in threads:
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            found += [int(child), *descendants(int(child))]
    return found


def work_of_children() -> dict[int, Work]:
    """The work of each process that this process has started: QEMUs, vrdmad, switches."""
    return {pid: work_of(pid) for pid in descendants(os.getpid())}


Look = Callable[[], Mapping[int, Work]]


@dataclass(frozen=True)
class Passed:
    """What happened from one look to the next."""

    seconds: float
    ran: Mapping[int, float]  # the seconds that each process had a processor
    wanted: Mapping[int, float]  # those, and the seconds that it waited for one
    printed: bool

    @property
    def moved(self) -> bool:
        """Whether a process worked or wanted to, or a machine printed."""
        return self.printed or any(
            wanted >= IDLE * self.seconds for wanted in self.wanted.values()
        )

    @property
    def alone(self) -> float:
        """The seconds that this would have taken with nothing else on the computer.

        Half of them, if the processes got half of the processor time that they wanted.
        """
        wanted = sum(self.wanted.values())
        if wanted < IDLE * self.seconds:
            return self.seconds
        return self.seconds * sum(self.ran.values()) / wanted


class Watch:
    """Looks at processes, and at a number that grows with what a machine prints."""

    def __init__(
        self,
        interval: float,
        printed: Callable[[], int],
        look: Look,
        clock: Callable[[], float],
    ) -> None:
        self._interval = interval
        self._printed = printed
        self._look = look
        self._clock = clock
        self._looked_at = clock()
        self._work: Mapping[int, Work] | None = None
        self._last_printed = 0

    def passed(self) -> Passed | None:
        """What happened since the look before; None if that look was just now, or the first."""
        now = self._clock()
        if self._work is None:
            self._work, self._last_printed = self._look(), self._printed()
            return None
        seconds = now - self._looked_at
        if seconds < self._interval:
            return None
        work, printed = self._look(), self._printed()
        ran, wanted = {}, {}
        for pid, done in work.items():
            # What a process did before it was first seen belongs to no wait.
            before = self._work.get(pid, done)
            # A thread that has ended takes its part away.
            ran[pid] = max(0.0, done.ran - before.ran)
            wanted[pid] = ran[pid] + max(0.0, done.waited - before.waited)
        passed = Passed(seconds, ran, wanted, printed != self._last_printed)
        # The kernel leaves a child out now and then, if another one ends meanwhile.
        self._work, self._last_printed = {**self._work, **work}, printed
        self._looked_at = now
        return passed


class Patience:
    """The patience of one wait, of so many seconds in which nothing moves.

    `printed` is a number that grows with what a machine prints; `look` is the work of processes.
    """

    def __init__(
        self,
        seconds: float,
        printed: Callable[[], int] = lambda: 0,
        look: Look = work_of_children,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.interval = min(INTERVAL, seconds)
        self._watch = Watch(self.interval, printed, look, clock)
        self._still = self._alone = 0.0
        self._ran: dict[int, float] = {}

    @property
    def over(self) -> bool:
        """Whether waiting longer is of no use."""
        passed = self._watch.passed()
        if passed is not None:
            self._still = 0.0 if passed.moved else self._still + passed.seconds
            self._alone += passed.alone
            for pid, ran in passed.ran.items():
                self._ran[pid] = self._ran.get(pid, 0) + ran
        limit = CIRCLES * self.seconds
        return (
            self._still >= self.seconds
            or self._alone >= limit
            or any(ran >= limit for ran in self._ran.values())
        )

    def why(self) -> str:
        """What a wait says that is over."""
        for pid, ran in self._ran.items():
            if ran >= CIRCLES * self.seconds:
                return f"process {pid} worked {ran:.0f} s without coming to it"
        if self._alone >= CIRCLES * self.seconds:
            return f"it took {self._alone:.0f} s, not counting those of other programs"
        return f"nothing moved for {self.seconds:.0f} s"


class StepPatience:
    """The patience with a program of many steps, which prints at each: it begins anew there.

    Between two steps nothing may move for `still` seconds, and the program may take `step` seconds
    with nothing else on the computer. A busy computer gives it more. A machine that neither works
    nor stands still, as one whose guests have timers, does not get more.
    """

    def __init__(
        self,
        still: float,
        step: float,
        printed: Callable[[], int],
        look: Look = work_of_children,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.still = still
        self.step = step
        self.interval = min(INTERVAL, still, step)
        self._watch = Watch(self.interval, printed, look, clock)
        self._still = self._alone = 0.0

    @property
    def over(self) -> bool:
        """Whether waiting longer is of no use."""
        passed = self._watch.passed()
        if passed is not None:
            self._still = 0.0 if passed.moved else self._still + passed.seconds
            self._alone = 0.0 if passed.printed else self._alone + passed.alone
        return self._still >= self.still or self._alone >= self.step

    def why(self) -> str:
        """What a wait says that is over."""
        if self._still >= self.still:
            return f"nothing moved for {self.still:.0f} s"
        return (
            f"it printed nothing for {self._alone:.0f} s, "
            "not counting those that other programs took"
        )


def run_to_end(
    words: Sequence[str | Path], seconds: float = 60, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs a program that reads what is `typed`, and gives up when nothing moves any more."""
    process = subprocess.Popen(
        [str(word) for word in words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    output, errors = communicate(process, seconds, typed)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def communicate(
    process: subprocess.Popen[str], seconds: float = 60, typed: str | None = None
) -> tuple[str, str]:
    """What a program prints until its end; when nothing moves any more, it is killed: LabError."""
    patience = Patience(seconds)
    try:
        while True:
            try:
                return process.communicate(typed, timeout=min(INTERVAL, seconds))
            except subprocess.TimeoutExpired:
                typed = None  # it is on its way
                if patience.over:
                    raise LabError(f"did not end ({patience.why()}): {process.args!r}") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Waits for a condition; LabError with `what` when the patience is over."""
    patience = Patience(seconds)
    while not condition():
        if patience.over:
            raise LabError(f"{what} ({patience.why()})")
        time.sleep(0.02)
