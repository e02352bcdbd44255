# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The runner of rdma-core's tests, with tests that do everything that such tests may do."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from typing import Any

RUNNER = Path(__file__).with_name("runner.py")

# The parts of rdma-core's tests that the runner uses.
ARGS_PARSER = """
class Parser:
    def parse_args(self):
        pass

parser = Parser()
"""
PACKAGE = """
import importlib
__test_modules__ = [importlib.import_module(".test_one", __name__)]
"""


def outcomes(body: str, *options: str) -> dict[str, dict[str, Any]]:
    """The runner's line for each method of a class, by the method's name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "tests"
        folder.mkdir()
        (folder / "args_parser.py").write_text(ARGS_PARSER)
        (folder / "__init__.py").write_text(PACKAGE)
        code = (
            "import os, sys, time, unittest\n\nclass One(unittest.TestCase):\n"
            + textwrap.indent(textwrap.dedent(body), "    ")
        )
        (folder / "test_one.py").write_text(code)
        command = [
            sys.executable,
            str(RUNNER),
            "--tests",
            str(folder),
            *options,
            "--",
            "--dev",
            "none0",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    return {
        line["test"].rsplit(".", 1)[1]: line for line in map(json.loads, done.stdout.splitlines())
    }


class Runner(unittest.TestCase):
    def test_it_says_how_a_test_ended(self) -> None:
        found = outcomes(
            """
            def test_a(self): pass
            def test_b(self): self.skipTest("why")
            def test_c(self): self.fail("no")
            """
        )
        self.assertEqual(
            [line["outcome"] for line in found.values()], ["passed", "skipped", "failed"]
        )
        self.assertEqual(found["test_b"]["reason"], "why")
        self.assertEqual(found["test_c"]["reason"].splitlines()[-1], "AssertionError: no")
        self.assertEqual({line["module"] for line in found.values()}, {"test_one"})

    def test_one_that_crashes_has_failed_and_does_not_take_the_others_along(self) -> None:
        found = outcomes(
            """
            def test_a(self): pass
            def test_b(self): os.abort()
            def test_c(self): pass
            """
        )
        self.assertEqual(
            [found[name]["outcome"] for name in ("test_a", "test_b", "test_c")],
            ["passed", "failed", "passed"],
        )
        self.assertEqual(found["test_b"]["reason"], "ended its process by SIGABRT")

    def test_one_that_hangs_has_failed_and_does_not_take_the_others_along(self) -> None:
        found = outcomes(
            """
            def test_a(self): time.sleep(1000)
            def test_b(self): pass
            """,
            *("--patience", "1"),
        )
        self.assertEqual(
            [found[name]["outcome"] for name in ("test_a", "test_b")], ["failed", "passed"]
        )
        self.assertEqual(found["test_a"]["reason"], "did not go on: nothing moved for 1 s")

    def test_a_class_that_cannot_be_set_up_says_so_for_each_of_its_tests(self) -> None:
        found = outcomes(
            """
            @classmethod
            def setUpClass(cls): raise unittest.SkipTest("why")
            def test_a(self): pass
            def test_b(self): pass
            """
        )
        self.assertEqual(
            [(line["outcome"], line["reason"]) for line in found.values()], [("skipped", "why")] * 2
        )

    def test_a_failure_comes_with_what_the_test_printed(self) -> None:
        found = outcomes(
            """
            def test_a(self): print("before")
            def test_b(self):
                print("look here", flush=True)
                self.fail("no")
            """
        )
        self.assertEqual(found["test_b"]["printed"], "look here\n")

    def test_what_a_test_prints_is_no_outcome(self) -> None:
        found = outcomes("""def test_a(self): print('{"test": "x.y"}', flush=True)""")
        self.assertEqual(list(found), ["test_a"])


if __name__ == "__main__":
    unittest.main()
