# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The results of rdma-core's tests, the causes that are known, and the problems that are left."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vrdma_lab.conformance.targets import TARGETS, Target
from vrdma_lab.errors import LabError

OUTCOMES = ("passed", "skipped", "failed")
MISSING = "missing"


@dataclass(frozen=True, order=True)
class Run:
    """A version of the tests on a target."""

    suite: str
    target: str  # one of TARGETS

    @property
    def on(self) -> Target:
        """The target itself."""
        return TARGETS[self.target]

    def __str__(self) -> str:
        return f"{self.suite} {self.target}"


@dataclass(frozen=True)
class Result:
    """The outcome of one test in one run."""

    run: Run
    module: str
    test: str  # the names of module, class and method
    outcome: str
    reason: str = ""  # why the test was skipped, or the last line of its failure

    @staticmethod
    def of(run: Run, line: dict[str, Any]) -> Result:
        """The result in a line of the runner's."""
        if line["outcome"] not in OUTCOMES:
            raise LabError(f"the runner knows an outcome {line['outcome']!r}")
        reason = str(line["reason"]).strip().splitlines()[-1:] or [""]
        return Result(
            run,
            line["module"],
            line["test"].removeprefix("tests."),
            line["outcome"],
            reason[0].strip(),
        )


@dataclass(frozen=True)
class Known:
    """Tests that do not pass for a cause that is known."""

    tests: frozenset[str]
    suites: frozenset[str]
    targets: frozenset[str]
    cause: str

    def covers(self, test: str, run: Run) -> bool:
        """Whether the cause is that of a test in a run."""
        return test in self.tests and run.suite in self.suites and run.target in self.targets


def read_known(path: Path) -> list[Known]:
    """The [[known]] tables of a file, each with tests, suites, targets and a cause."""
    with path.open("rb") as file:
        tables = tomllib.load(file).get("known", [])
    known = []
    for table in tables:
        if set(table) != {"tests", "suites", "targets", "cause"} or not all(table.values()):
            raise LabError(
                f"{path}: a [[known]] has tests, suites, targets and a cause, not {sorted(table)}"
            )
        tests, suites, targets = (frozenset(table[key]) for key in ("tests", "suites", "targets"))
        known.append(Known(tests, suites, targets, " ".join(table["cause"].split())))
    return known


class Results:
    """The results of some runs, and the known causes."""

    def __init__(self, results: Iterable[Result], known: Iterable[Known] = ()) -> None:
        self._known = tuple(known)
        self._tests: dict[str, dict[Run, Result]] = {}
        for result in results:
            self._tests.setdefault(result.test, {})[result.run] = result
        self.runs = sorted(
            {run for each in self._tests.values() for run in each},
            key=lambda run: (run.suite, list(TARGETS).index(run.target)),
        )

    def tests(self) -> list[str]:
        return sorted(self._tests)

    def of_run(self, run: Run) -> list[Result]:
        """All results of a run."""
        return [each[run] for each in self._tests.values() if run in each]

    def all(self) -> list[Result]:
        """All results, by test and run."""
        return [
            self._tests[test][run]
            for test in self.tests()
            for run in self.runs
            if run in self._tests[test]
        ]

    def outcome(self, test: str, run: Run) -> str:
        """The outcome of a test in a run, which may be MISSING."""
        result = self._tests[test].get(run)
        return result.outcome if result is not None else MISSING

    def reason(self, test: str, run: Run) -> str:
        """The reason that a test gave for its outcome in a run."""
        result = self._tests[test].get(run)
        return result.reason if result is not None else ""

    def cause(self, test: str, run: Run) -> str:
        """The known cause for which a test does not pass in a run; empty if none is known."""
        return next((known.cause for known in self._known if known.covers(test, run)), "")

    def native_of(self, run: Run) -> Run | None:
        """The native run of the same tests, if there is one."""
        if run.on.native is None:
            return None
        native = Run(run.suite, run.on.native.name)
        return native if native in self.runs else None

    def lost(self, test: str, run: Run) -> bool:
        """Whether a test passes natively, and not in this run."""
        native = self.native_of(run)
        return (
            native is not None
            and self.outcome(test, native) == "passed"
            and self.outcome(test, run) != "passed"
        )

    def counts(self) -> list[dict[str, object]]:
        """The numbers of tests by outcome, for each run and module."""
        counted = {
            run: Counter((each.module, each.outcome) for each in self.of_run(run))
            for run in self.runs
        }
        return [
            {
                **{"suite": run.suite, "target": run.target, "module": module},
                **{outcome: counter[module, outcome] for outcome in OUTCOMES},
            }
            for run, counter in counted.items()
            for module in sorted({module for module, _ in counter})
        ]

    def total(self, run: Run, outcome: str) -> int:
        """How many tests of a run have this outcome."""
        return sum(each.outcome == outcome for each in self.of_run(run))

    def problems(self) -> list[str]:
        """The problems.

        Losses on the direct path, fewer passes on the embedded RNIC than natively, and failures
        without a known cause are problems.
        """
        found = []
        for test in self.tests():
            for run in self.runs:
                if self.cause(test, run):
                    continue
                outcome, reason = self.outcome(test, run), self.reason(test, run)
                if outcome == "failed":
                    found.append(f"{run}: {test} failed: {reason}")
                elif run.on.side == "direct" and self.lost(test, run):
                    found.append(f"{run}: {test} passes natively and is {outcome}: {reason}")
        for run in self.runs:
            native = self.native_of(run)
            if run.on.side == "embedded" and native is not None:
                ours, theirs = self.total(run, "passed"), self.total(native, "passed")
                if ours < theirs:
                    found.append(f"{run}: {ours} tests pass, natively {theirs}")
        return found

    def too_few(self) -> list[str]:
        """The runs in which fewer tests pass than have to, of runs of all tests."""
        return [
            f"{run}: {self.total(run, 'passed')} tests pass, not {run.on.fewest}"
            for run in self.runs
            if self.total(run, "passed") < run.on.fewest
        ]

    def needless(self) -> list[str]:
        """The tests that pass although a cause is known for which they do not."""
        return [
            f"{run}: {test} passes, and is known not to"
            for test in self.tests()
            for run in self.runs
            if self.outcome(test, run) == "passed"
            and any(known.covers(test, run) for known in self._known)
        ]
