# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The picture that scripts/bench lab draws of its figures."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

from vrdma_lab.bench import picture
from vrdma_lab.bench.figures import Figure
from vrdma_lab.errors import LabError


def rows(*figures: Figure) -> list[dict[str, object]]:
    return [figure.as_json() for figure in figures]


def curve(test: str, size: int, unit: str) -> Figure:
    return Figure("curves", test, size, unit, native=[1.0, 2.0, 3.0], guest=[2.0, 3.0, 4.0])


class Picture(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "picture.svg"
        self.curves = rows(
            curve("RC WRITE", 2, "us"),
            curve("RC WRITE", 4096, "us"),
            curve("ib_write_bw", 65536, "MB/s"),
        )

    def test_it_is_svg_with_a_line_of_each_side_in_each_panel(self) -> None:
        picture.draw(self.file, self.curves)
        text = self.file.read_text()
        ElementTree.fromstring(text)
        for wanted in ("RC WRITE", "ib_write_bw", "4 KiB", "64 KiB"):
            with self.subTest(wanted):
                self.assertIn(f">{wanted}</text>", text)
        self.assertEqual(text.count(">native</text>"), 2)
        self.assertEqual(text.count(">guest</text>"), 2)

    def test_the_same_figures_give_the_same_file(self) -> None:
        picture.draw(self.file, self.curves)
        first = self.file.read_bytes()
        picture.draw(self.file, self.curves)
        self.assertEqual(self.file.read_bytes(), first)

    def test_figures_without_curves_are_refused(self) -> None:
        with self.assertRaisesRegex(LabError, "the figures have no group curves"):
            picture.draw(self.file, rows(Figure("latency", "RC WRITE", 2, "us")))
        self.assertFalse(self.file.exists())


if __name__ == "__main__":
    unittest.main()
