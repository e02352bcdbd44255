# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs rdma-core's tests in a root tree of a Debian suite and says how each of them ended.

    runner.py --tests FOLDER [--filter-file FILE] [--patience SECONDS] -- OPTIONS OF THE TESTS

It writes one JSON object a line: {"module", "test", "outcome", "reason", "seconds"}, the outcome
being passed, skipped or failed. Each module runs in a process of its own. A test that ends its
process, or that says nothing for too long, has failed by that, and the tests after it run in
another process. A module that leaves objects of the device behind gets a line {"module", "leaks"}.

The suite's own Python runs it, so that it imports the standard library, and from the lab no more
than progress.py needs (PARTS in vrdma_lab/conformance/run.py).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import unittest
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, Any

from vrdma_lab.machine.progress import Patience

Line = dict[str, Any]
Counts = dict[str, dict[str, Any]]
# The type that unittest has for sys.exc_info().
Error = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def flattened(
    tests: Iterable[unittest.TestSuite | unittest.TestCase],
) -> Iterator[unittest.TestCase]:
    """The test cases of a suite, in its order."""
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from flattened(test)
        else:
            yield test


class Reporter(unittest.TestResult):
    """Writes events to a pipe as they happen.

    They are known even if the process ends before its time.
    """

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self._pipe = pipe
        self._outcome = self._reason = ""

    def _say(self, **fields: object) -> None:
        os.write(self._pipe, json.dumps(fields).encode() + b"\n")

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome, self._reason = "passed", ""
        sys.stdout.flush()
        self._say(started=test.id(), printed=os.fstat(1).st_size)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        sys.stdout.flush()
        self._say(test=test.id(), outcome=self._outcome, reason=self._reason)

    def _ended(self, test: object, outcome: str, reason: str) -> None:
        # An object that is no test case stands for a class that could not be set up: none of its
        # tests starts.
        if not isinstance(test, unittest.TestCase):
            self._say(holder=str(test), outcome=outcome, reason=reason)
        elif self._outcome != "failed":
            self._outcome, self._reason = outcome, reason

    def _failed(self, test: object, error: Error) -> None:
        self._ended(test, "failed", "".join(traceback.format_exception(*error)).strip())

    def addError(self, test: unittest.TestCase, err: Error) -> None:
        super().addError(test, err)
        self._failed(test, err)

    def addFailure(self, test: unittest.TestCase, err: Error) -> None:
        super().addFailure(test, err)
        self._failed(test, err)

    def addSubTest(
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: Error | None
    ) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._failed(test, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._ended(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._ended(test, "failed", "passed unexpectedly")


def in_child(tests: list[unittest.TestCase], output: int) -> tuple[int, int]:
    """Starts a process that runs the tests and prints into a file.

    The results are the process's id, and the pipe by which it reports.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 1
    try:
        os.close(reading)
        # Processes that the tests start end with the tests.
        os.setpgid(0, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # What a skipped test leaves is a cycle of its exception and its objects. A collector ends
        # these in any order, and pyverbs then destroys objects of a context that is closed and
        # freed already. So cycles are left to the end of the process.
        gc.disable()
        unittest.TestSuite(tests).run(Reporter(writing))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def lines_of(pipe: int, seconds: float) -> Iterator[Line]:
    """The lines that come out of a pipe, until its end.

    After a time without lines in which nothing moved, or that was too long, "hung" says so.
    """
    data = b""
    patience = Patience(seconds)
    while True:
        if not select.select([pipe], [], [], patience.interval)[0]:
            if patience.over:
                yield {"hung": patience.why()}
                return
            continue
        patience = Patience(seconds)
        more = os.read(pipe, 65536)
        if not more:
            return
        *lines, data = (data + more).split(b"\n")
        yield from map(json.loads, lines)


def printed_since(output: IO[bytes], position: int) -> str:
    """The content of a file after a position, or its last part."""
    size = os.fstat(output.fileno()).st_size
    return os.pread(output.fileno(), 4000, max(position, size - 4000)).decode(errors="replace")


class Attempt:
    """One process's run of the tests of a module."""

    def __init__(self, tests: list[unittest.TestCase], patience: float) -> None:
        self.ended: dict[str, Line] = {}
        self.holders: list[Line] = []
        self.running: str | None = None
        self.hung = ""
        with tempfile.TemporaryFile() as output:
            self._run(tests, patience, output)

    def _run(self, tests: list[unittest.TestCase], patience: float, output: IO[bytes]) -> None:
        child, pipe = in_child(tests, output.fileno())
        started, printed = time.monotonic(), 0
        for line in lines_of(pipe, patience):
            if "hung" in line:
                self.hung = line["hung"]
                break
            if "started" in line:
                self.running, started = line["started"], time.monotonic()
                printed = line["printed"]
            elif "holder" in line:
                self.holders.append(line)
            else:
                line["seconds"] = round(time.monotonic() - started, 2)
                if line["outcome"] == "failed":
                    line["printed"] = printed_since(output, printed)
                self.ended[line["test"]] = line
                self.running = None
        os.close(pipe)
        self.end = self._ending(child, patience)
        self.printed = printed_since(output, printed)

    def _ending(self, child: int, patience: float) -> str:
        """The end of the process.

        It is killed, with all that it started, if it does not end by itself.
        """
        status = None if self.hung else self._wait(child, patience)
        try:
            os.killpg(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if status is None:
            os.waitpid(child, 0)
            return f"did not go on: {self.hung}"
        code = os.waitstatus_to_exitcode(status)
        return (
            f"ended its process by {signal.Signals(-code).name}"
            if code < 0
            else f"ended its process ({code})"
        )

    def _wait(self, child: int, seconds: float) -> int | None:
        """The status of a process that has closed its pipe and so is about to end."""
        patience = Patience(seconds)
        while not patience.over:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
            time.sleep(0.01)
        self.hung = patience.why()
        return None

    def why_not_started(self, test: unittest.TestCase) -> tuple[str, str] | None:
        for line in self.holders:
            if f"({test.__class__.__module__}.{test.__class__.__qualname__})" in line["holder"]:
                return line["outcome"], line["reason"]
        return None


def run_module(tests: list[unittest.TestCase], patience: float) -> Iterator[Line]:
    """Yields the end of each test."""
    left = list(tests)
    while left:
        attempt = Attempt(left, patience)
        yield from attempt.ended.values()
        left = [test for test in left if test.id() not in attempt.ended]
        stopped = [test for test in left if test.id() == attempt.running]
        if stopped:
            yield {
                "test": attempt.running,
                "outcome": "failed",
                "reason": attempt.end,
                "printed": attempt.printed,
                "seconds": 0,
            }
            left.remove(stopped[0])
        explained = [(test, attempt.why_not_started(test)) for test in left]
        for test, why in explained:
            if why is not None:
                yield {"test": test.id(), "outcome": why[0], "reason": why[1], "seconds": 0}
        remaining = [test for test, why in explained if why is None]
        if not stopped and len(remaining) == len(left) and not attempt.ended:
            for test in remaining:
                yield {
                    "test": test.id(),
                    "outcome": "failed",
                    "reason": f"never started: {attempt.end}",
                    "seconds": 0,
                }
            return
        left = remaining


def objects() -> Counts:
    """The number of objects of each kind that RDMA devices have, as rdma says."""
    shown = subprocess.run(["rdma", "-j", "resource", "show"], capture_output=True, text=True)
    try:
        return {device.pop("ifname"): device for device in json.loads(shown.stdout)}
    except ValueError:
        return {}


def leaks(before: Counts, after: Counts, device: str) -> str:
    """The objects of a device that there are more of than before."""
    old, new = before.get(device, {}), after.get(device, {})
    kinds = [kind for kind, count in new.items() if isinstance(count, int) and kind in old]
    return ", ".join(f"{new[kind] - old[kind]} {kind}" for kind in kinds if new[kind] > old[kind])


def first_line(path: str) -> str:
    with open(path) as file:
        return file.readline().rstrip("\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tests", required=True)
    parser.add_argument("--filter-file")
    parser.add_argument("--patience", type=int, default=60)
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    # The suite's own run_tests.py does so: the folder of the tests is in the path, and the package
    # is called "tests".
    sys.path[:1] = [arguments.tests, os.path.dirname(arguments.tests)]
    sys.argv[1:] = arguments.options
    importlib.import_module("args_parser").parser.parse_args()
    tests = importlib.import_module("tests")
    wanted = re.compile(first_line(arguments.filter_file) if arguments.filter_file else "")
    device = dict(zip(arguments.options, arguments.options[1:])).get("--dev", "")
    for module in tests.__test_modules__:
        name = module.__name__.removeprefix("tests.")
        chosen = [
            test
            for test in flattened(unittest.defaultTestLoader.loadTestsFromModule(module))
            if wanted.search(test.id())
        ]
        before = objects()
        for line in run_module(chosen, arguments.patience):
            print(json.dumps({"module": name, **line}), flush=True)
        left = leaks(before, objects(), device)
        if left:
            print(json.dumps({"module": name, "leaks": left}), flush=True)


if __name__ == "__main__":
    main()
