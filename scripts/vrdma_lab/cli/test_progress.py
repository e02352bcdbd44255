# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""How far the tests are, and how long the others will take, from how long each took before.

tests/durations.json has the seconds of the tests with machines, as scripts/test measured them; what
this machine has measured since is in the cache, and counts more.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from vrdma_lab import paths

_TABLE = paths.SOURCE / "tests" / "durations.json"
_ENDED = re.compile(r"^ *(\d+)/(\d+) Test +#\d+: (\S+) .*? (\d+\.\d+) sec")
# Seconds of a test that nobody has measured, by the first part of its name.
_KIND = re.compile(r"^(e2e|lab|conformance)\.")
_QUICK = 0.02
# Seconds between two lines about the progress.
_PAUSE = 10.0
# A test of less is not worth a line in the table.
_WORTH = 1.0


def shares(listed: str, parallel: int) -> dict[str, float]:
    """How much of the machine each test occupies, as a fraction.

    :param listed: the output of ctest --show-only=json-v1
    :param parallel: how many processors CTest may occupy
    """
    occupied = {}
    for test in json.loads(listed)["tests"]:
        has = {found["name"]: found["value"] for found in test["properties"]}
        alone = has.get("RUN_SERIAL", False)
        processors = parallel if alone else min(has.get("PROCESSORS", 1), parallel)
        occupied[test["name"]] = processors / parallel
    return occupied


def measured_here() -> Path:
    """The file with what this machine has measured."""
    return paths.cache() / "durations.json"


def read_durations() -> dict[str, float]:
    """The seconds that each test took, as far as they are known."""
    durations: dict[str, float] = {}
    for table in (_TABLE, measured_here()):
        try:
            durations |= json.loads(table.read_text())
        except (OSError, ValueError):
            continue  # no table yet, or one that an older scripts/test wrote
    return durations


def write_durations(measured: dict[str, float]) -> None:
    """Adds to what this machine has measured."""
    table = measured_here()
    try:
        known = json.loads(table.read_text())
    except (OSError, ValueError):
        known = {}
    known |= {name: seconds for name, seconds in measured.items() if seconds >= _WORTH}
    table.parent.mkdir(parents=True, exist_ok=True)
    partial = table.with_suffix(".part")
    partial.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    partial.replace(table)


class Progress:
    """The tests of one run, of which some have ended."""

    def __init__(
        self,
        tests: Mapping[str, float],
        durations: dict[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins with tests, each with the share of the machine that it occupies."""
        self._costs = {name: share * self._seconds(name, durations)
                       for name, share in tests.items()}
        self._clock = clock
        self._started = clock()
        self._said = clock() - _PAUSE
        self.measured: dict[str, float] = {}

    @staticmethod
    def _seconds(name: str, durations: dict[str, float]) -> float:
        if name in durations:
            return durations[name]
        kind = _KIND.match(name)
        if kind is None:
            return _QUICK
        alike = [seconds for known, seconds in durations.items() if known.startswith(kind.group())]
        return sum(alike) / len(alike) if alike else 60.0

    def seconds_left(self) -> float:
        """An estimate: what the ended tests took more than expected, the others will as well."""
        expected = sum(self._costs[name] for name in self.measured if name in self._costs)
        left = sum(cost for name, cost in self._costs.items() if name not in self.measured)
        speed = 1.0
        # The first few seconds say nothing.
        if expected >= _PAUSE:
            speed = (self._clock() - self._started) / expected
        return left * speed

    def see(self, line: str) -> str | None:
        """Takes a line of CTest's; what is to be said now, if anything."""
        found = _ENDED.match(line)
        if found is None:
            return None
        ended, total, name, seconds = found.groups()
        self.measured[name] = float(seconds)
        if self._clock() - self._said < _PAUSE and ended != total:
            return None
        self._said = self._clock()
        if ended == total:
            return f"test {ended} of {total}"
        return f"test {ended} of {total}, {in_words(self.seconds_left())}"


def in_words(seconds: float) -> str:
    """A time that is left, in minutes."""
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes else "less than a minute left"
