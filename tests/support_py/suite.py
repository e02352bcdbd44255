# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base classes of the lab's suites, with an RDMA host for each class, and their report as JSON."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import traceback
import unittest
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support_py.exchange import PATIENCE, ExchangeTest, long_form_only, say
from vrdma_lab.children import raise_on_signals
from vrdma_lab.host.rdma_host import RdmaHost
from vrdma_lab.vm.guest import Guest

__all__ = ["KERNEL", "PATIENCE", "GuestsTest", "HostTest", "long_form_only", "main", "record"]

KERNEL = os.environ.get("VRDMA_KERNEL", "6.1")

_figures: list[dict[str, object]] = []


def record(**figure: object) -> None:
    """Puts a figure into the report."""
    _figures.append(figure)
    say("    " + ", ".join(f"{key}: {value}" for key, value in figure.items()))


class HostTest(ExchangeTest):
    """Tests on one RDMA host."""

    rnic = os.environ.get("VRDMA_LAB_RNIC", "rxe")
    other_rnic = os.environ.get("VRDMA_LAB_OTHER_RNIC", rnic)  # of the second host
    modules: tuple[str, ...] = ()  # modules that guests can modprobe
    host: RdmaHost

    @classmethod
    def setUpClass(cls) -> None:
        cls.host = cls.enterClassContext(RdmaHost(KERNEL, cls.rnic, modules=cls.modules))
        cls.prepare()

    @classmethod
    def prepare(cls) -> None:
        """Starts everything that the class needs besides the host itself."""


class GuestsTest(HostTest):
    """Tests with two guests on the host's RNIC."""

    backend = ""  # the name of another RNIC for vrdmad than the host's
    spin_us: int | None = None

    @classmethod
    def prepare(cls) -> None:
        cls.host.serve((1, 2), cls.backend or None, cls.spin_us)
        cls.host.boot((1, 2))

    @property
    def a(self) -> Guest:
        return self.host.guests[0]

    @property
    def b(self) -> Guest:
        return self.host.guests[1]


class _Result(unittest.TextTestResult):
    """Keeps an entry of the report for each test."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.entries: list[dict[str, object]] = []
        self._started = 0.0
        self._problems = ""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._started, self._problems = time.monotonic(), ""

    def _problem(self, error: Any, test: unittest.TestCase) -> None:
        self._problems += f"{test}\n{''.join(traceback.format_exception(*error))}"

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._problem(err, test)
        # A class that cannot be set up has no test that stops.
        if not isinstance(test, unittest.TestCase) or not self._started:
            self._entry(test)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._problem(err, test)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._problem(err, subtest)
        else:
            # A sign of life for whoever waits for the suite (StepPatience).
            self.stream.write(".")
            self.stream.flush()

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self._entry(test)
        self._started = 0.0

    def _entry(self, test: object) -> None:
        self.entries.append(
            {
                "test": str(test),
                "ok": not self._problems,
                "seconds": round(time.monotonic() - self._started, 1) if self._started else 0.0,
                "problem": self._problems,
            }
        )
        self._problems = ""


def _matching(tests: Iterable[Any], pattern: re.Pattern[str]) -> unittest.TestSuite:
    chosen = unittest.TestSuite()
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            chosen.addTest(_matching(test, pattern))
        elif pattern.search(test.id()):
            chosen.addTest(test)
    return chosen


def main() -> None:
    """Runs the tests of the program's own file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--filter", default="")
    arguments = parser.parse_args()
    raise_on_signals()
    started = time.monotonic()
    everything = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    tests = _matching(everything, re.compile(arguments.filter))
    result = unittest.TextTestRunner(verbosity=2, resultclass=_Result).run(tests)
    assert isinstance(result, _Result)
    if arguments.json is not None:
        report = {
            "suite": Path(sys.argv[0]).stem,
            "ok": result.wasSuccessful(),
            "seconds": round(time.monotonic() - started, 1),
            "tests": result.entries,
            "figures": _figures,
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(not result.wasSuccessful() or result.testsRun == 0)
