# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Stamps: what passed once is known, and nothing else is."""
from __future__ import annotations

import os
import tempfile
import time
import unittest
from pathlib import Path

from vrdma_check.stamps import Stamps, digest


class StampsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="vrdma-check-test.")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "stamps"

    def test_only_what_was_added_is_known(self) -> None:
        stamps = Stamps(self.folder)
        stamps.add("sparse", "a")
        self.assertTrue(Stamps(self.folder).has("sparse", "a"))
        self.assertFalse(stamps.has("sparse", "b"))
        self.assertFalse(stamps.has("clang-tidy", "a"))

    def test_what_nothing_asks_for_is_forgotten(self) -> None:
        stamps = Stamps(self.folder)
        stamps.add("sparse", "old")
        stamps.add("sparse", "new")
        long_ago = time.time() - 100 * 24 * 3600
        os.utime(self.folder / "sparse" / "old", (long_ago, long_ago))
        stamps.tidy_up()
        self.assertFalse(stamps.has("sparse", "old"))
        self.assertTrue(stamps.has("sparse", "new"))

    def test_the_border_between_two_parts_counts(self) -> None:
        self.assertNotEqual(digest(["ab", "c"]), digest(["a", "bc"]))
        self.assertEqual(digest(["ab", "c"]), digest(["ab", "c"]))


if __name__ == "__main__":
    unittest.main()
