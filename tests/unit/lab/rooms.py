# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The rooms of the package: each uses only rooms below it, and none uses a test."""

from __future__ import annotations

import ast
import unittest
from collections.abc import Iterator
from pathlib import Path

from vrdma_lab import paths

PACKAGE = paths.SOURCE / "scripts" / "vrdma_lab"
# From the bottom to the top.  The modules of the package itself are below all rooms.
ROOMS = (
    *("machine", "image", "network", "setup", "packages", "vm", "lab", "programs", "host"),
    *("monitoring", "bench", "conformance", "cli"),
)


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, as far as they are not Python's own."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


class Rooms(unittest.TestCase):
    def test_the_list_is_complete(self) -> None:
        folders = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
        self.assertEqual(folders, set(ROOMS))

    def test_arrows_point_downwards(self) -> None:
        for file in PACKAGE.rglob("*.py"):
            room = file.parent.name
            allowed = ROOMS[: ROOMS.index(room) + 1] if room in ROOMS else ()
            for module in imported(file):
                parts = module.split(".")
                with self.subTest(file=str(file.relative_to(PACKAGE)), module=module):
                    self.assertNotIn(parts[0], ("support_py", "unittest", "tests"))
                    if parts[0] == "vrdma_lab" and parts[1] in ROOMS:
                        self.assertIn(parts[1], allowed)

    def test_no_room_is_crowded_and_no_file_long(self) -> None:
        for room in ROOMS:
            self.assertLessEqual(len(list((PACKAGE / room).glob("*.py"))), 20, room)
        for file in PACKAGE.rglob("*.py"):
            self.assertLess(len(file.read_text().splitlines()), 600, file.name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
