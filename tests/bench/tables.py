# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The arithmetic and the tables of scripts/bench lab."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from vrdma_lab import document
from vrdma_lab.bench import tables
from vrdma_lab.bench.figures import Figure, exits_worth
from vrdma_lab.errors import LabError


def a_figure(**more: Any) -> Figure:
    values: dict[str, Any] = {"native": [10.0, 20.0, 12.0], "guest": [15.0, 20.0, 18.0]}
    return Figure("latency", "RC WRITE, polling", 4096, "us", "at most 1.30", **{**values, **more})


def a_row(**more: Any) -> dict[str, Any]:
    return {**a_figure(**more).as_json(), "exits_worth": None}


class Figures(unittest.TestCase):
    def test_the_ratio_is_that_of_the_medians(self) -> None:
        self.assertEqual(a_figure().ratio, 18 / 12)

    def test_the_spread_is_that_of_the_rounds_each_by_itself(self) -> None:
        self.assertEqual(a_row()["ratio_range"], [1.0, 1.5])

    def test_what_the_guest_alone_measured_has_no_ratio(self) -> None:
        row = a_row(native=[])
        self.assertEqual((row["native"], row["guest"], row["ratio"]), (None, 18.0, None))

    def test_the_keys_are_those_that_users_of_the_json_know(self) -> None:
        row = json.loads(json.dumps(a_row(exits_per_message=[1.0, 3.0, 1.5])))
        expected = {
            "test": "RC WRITE, polling",
            "bytes": 4096,
            "native": 12.0,
            "guest": 18.0,
            "ratio": 1.5,
        }
        expected["exits_per_message"] = 1.5
        self.assertEqual({key: row[key] for key in expected}, expected)

    def test_extra_time_is_counted_in_exits(self) -> None:
        exit_cost = Figure("parts", "an exit", 0, "us", native=[0.5], guest=[2.5])
        self.assertEqual(exits_worth(a_figure(), exit_cost), 3.0)
        self.assertIsNone(
            exits_worth(Figure("bandwidth", "b", 0, "MB/s", native=[1.0], guest=[1.0]), exit_cost)
        )


class Tables(unittest.TestCase):
    def document(self, content: str | None) -> Path:
        path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "document.md"
        if content is not None:
            path.write_text(content)
        return path

    def test_numbers_have_few_digits(self) -> None:
        shown = [
            tables.shown(value) for value in (None, 0, 0.0123, 0.5, 12.34, 1234.5, [1.0, 25.0])
        ]
        self.assertEqual(shown, ["–", "0.00", "0.012", "0.50", "12.3", "1,234", "1.00 to 25.0"])

    def test_a_new_document_is_made_of_the_tables(self) -> None:
        path = self.document(None)
        tables.put_into(path, [a_row()])
        line = "| RC WRITE, polling | 4 KiB | 12.0 us | 18.0 us | 1.50 | 1.00 to 1.50 "
        line += "| at most 1.30 |\n"
        self.assertIn(line, path.read_text())

    def test_columns_in_which_there_is_nothing_are_left_out(self) -> None:
        path = self.document(None)
        tables.put_into(path, [a_row()])
        self.assertNotIn("exits each", path.read_text())
        tables.put_into(path, [a_row(exits_per_message=[0.5])])
        self.assertIn("exits each", path.read_text())

    def test_tables_of_a_document_are_replaced_and_nothing_else(self) -> None:
        path = self.document(None)
        tables.put_into(path, [a_row(native=[1.0])])
        path.write_text("Before.\n\n" + path.read_text() + "\nAfter.\n")
        tables.put_into(path, [a_row()])
        first = path.read_text()
        tables.put_into(path, [a_row()])
        self.assertEqual(path.read_text(), first)
        self.assertTrue(first.startswith("Before.\n"))
        self.assertTrue(first.endswith("\nAfter.\n"))
        self.assertNotIn("| 1.00 us |", first)

    def test_a_long_item_is_broken_and_no_line_becomes_another_item(self) -> None:
        path = self.document(None)
        words = " ".join(["word"] * 18 + ["- word"] * 9)
        document.put(path, "scripts/x", f"| {words} |\n\n  - {words}\n")
        row, item, *more = [line for line in path.read_text().splitlines() if "word" in line]
        self.assertEqual(row, f"| {words} |")
        self.assertEqual(" ".join([item, *map(str.strip, more)]), f"  - {words}")
        self.assertTrue(all(line.startswith("    word") for line in more))
        self.assertTrue(all(len(line) <= 100 for line in (item, *more)))

    def test_a_document_without_a_place_for_tables_is_left_alone(self) -> None:
        path = self.document("No tables here.\n")
        with self.assertRaisesRegex(LabError, "has no lines"):
            tables.put_into(path, [a_row()])
        self.assertEqual(path.read_text(), "No tables here.\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
