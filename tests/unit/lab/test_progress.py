# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What scripts/test says of its progress."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from vrdma_lab.cli.test_progress import (
    Progress,
    in_words,
    read_durations,
    shares,
    write_durations,
)

LISTED = {
    "tests": [
        {"name": "SpecTest.OpcodesAgree", "properties": []},
        {"name": "e2e.devinfo", "properties": [{"name": "PROCESSORS", "value": 2}]},
        {"name": "conformance.all", "properties": [{"name": "PROCESSORS", "value": 8}]},
        {"name": "e2e.footprint", "properties": [{"name": "RUN_SERIAL", "value": True}]},
    ]
}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class ProgressTest(unittest.TestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def progress(self, **durations: float) -> Progress:
        named = {name.replace("_", ".", 1): seconds for name, seconds in durations.items()}
        return Progress(dict.fromkeys(named, 0.5), named, self.clock)

    def ended(self, progress: Progress, number: int, name: str, seconds: float) -> str | None:
        line = f" {number}/3 Test  #{number}: {name} .....   Passed   {seconds:.2f} sec\n"
        return progress.see(line)

    def test_a_test_occupies_as_much_of_the_machine_as_ctest_gives_it(self) -> None:
        self.assertEqual(shares(json.dumps(LISTED), 4), {
            "SpecTest.OpcodesAgree": 0.25,
            "e2e.devinfo": 0.5,
            "conformance.all": 1.0,
            "e2e.footprint": 1.0,
        })

    def test_what_is_left_is_what_the_others_took_before(self) -> None:
        progress = self.progress(e2e_a=100, e2e_b=200, e2e_c=400)
        self.assertEqual(progress.seconds_left(), 350)  # two at a time
        self.clock.now = 100
        self.assertEqual(
            self.ended(progress, 1, "e2e.a", 100), "test 1 of 3, about 10 min left"
        )

    def test_a_slow_machine_is_slow_to_the_end(self) -> None:
        progress = self.progress(e2e_a=100, e2e_b=200, e2e_c=400)
        self.clock.now = 300
        self.assertEqual(
            self.ended(progress, 1, "e2e.a", 300), "test 1 of 3, about 30 min left"
        )

    def test_a_failed_test_has_ended_as_well(self) -> None:
        progress = self.progress(e2e_a=100)
        line = "1/1 Test #1: e2e.a ......***Failed  129.38 sec\n"
        self.assertEqual(progress.see(line), "test 1 of 1")

    def test_not_every_test_is_worth_a_line(self) -> None:
        progress = self.progress(e2e_a=100, e2e_b=200, e2e_c=400)
        self.assertIsNotNone(self.ended(progress, 1, "e2e.a", 1))
        self.clock.now = 1
        self.assertIsNone(self.ended(progress, 2, "e2e.b", 1))
        self.assertIsNotNone(self.ended(progress, 3, "e2e.c", 1))

    def test_other_lines_say_nothing(self) -> None:
        self.assertIsNone(self.progress(e2e_a=1).see("      Start 7: SpecTest.OpcodesAgree\n"))

    def test_a_test_that_nobody_measured_is_like_its_kind(self) -> None:
        progress = Progress({"e2e.new": 1}, {"e2e.a": 10, "e2e.b": 30, "lab.a": 500}, self.clock)
        self.assertEqual(progress.seconds_left(), 20)

    def test_minutes_are_round(self) -> None:
        self.assertEqual(in_words(29), "less than a minute left")
        self.assertEqual(in_words(530), "about 9 min left")

    def test_what_was_measured_is_remembered(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(unittest.mock.patch.dict(os.environ, {"VRDMA_CACHE": folder}))
        write_durations({"e2e.a": 12.5, "SpecTest.X": 0.01})
        write_durations({"e2e.b": 3.0})
        durations = read_durations()
        self.assertEqual((durations["e2e.a"], durations["e2e.b"]), (12.5, 3.0))
        self.assertNotIn("SpecTest.X", durations)
        self.assertEqual(list(Path(folder).iterdir()), [Path(folder) / "durations.json"])


if __name__ == "__main__":
    unittest.main()
