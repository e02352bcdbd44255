# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command: its options, what it prints and its status."""
from __future__ import annotations

import os
import subprocess
import sys
import unittest

from project import ProjectTest
from vrdma_check.registry import CHECKS


class Command(ProjectTest):
    def check(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ, VRDMA_SOURCE=str(self.root), VRDMA_CACHE=str(self.cache))
        return subprocess.run([sys.executable, "-m", "vrdma_check", *arguments], text=True,
                              env=environment, capture_output=True)

    def test_a_finding_makes_status_1_and_says_where_and_what_next(self) -> None:
        self.write("backend/a.cc", "int a;\n")
        ran = self.check("spdx", "columns")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("spdx          failed: 1 findings", ran.stdout)
        self.assertIn("  backend/a.cc:1: no line", ran.stdout)
        self.assertIn("To mend: ", ran.stdout)
        self.assertIn("columns       ok (", ran.stdout)
        self.assertTrue(ran.stdout.endswith("1 checks passed, failed: spdx\n"), ran.stdout)

    def test_nothing_found_makes_status_0(self) -> None:
        ran = self.check("spdx", "columns")
        self.assertEqual((ran.returncode, ran.stdout.splitlines()[-1]), (0, "2 checks passed"))

    def test_a_mistake_in_the_options_makes_status_2(self) -> None:
        for wrong in ("--nothing", "nothing", "--seconds=soon"):
            self.assertEqual(self.check(wrong).returncode, 2, wrong)

    def test_a_check_that_cannot_be_made_is_no_pass(self) -> None:
        ran = self.check("checkpatch")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("checkpatch    failed: ", ran.stdout)

    def test_a_folder_that_is_no_clone_is_refused(self) -> None:
        os.rename(self.root / ".git", self.root / "git")
        ran = self.check("spdx")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("needs a git clone", ran.stderr)

    def test_every_check_is_listed(self) -> None:
        listed = self.check("--list").stdout
        for check in CHECKS:
            self.assertIn(f"{check.name:<14}{check.about}\n", listed)

    def test_the_starter_learns_what_the_chosen_checks_need(self) -> None:
        self.assertEqual(self.check("--needs").stdout, "checkpatch kernels packages\n")
        self.assertEqual(self.check("--needs", "--hook").stdout, "checkpatch packages\n")
        self.assertEqual(self.check("--needs", "spdx").stdout, "\n")

    def test_fix_mends_and_then_judges(self) -> None:
        path = self.write("backend/a.cc", "int  a;\n")
        self.assertEqual(self.check("clang-format").returncode, 1)
        self.assertEqual(self.check("--fix", "clang-format").returncode, 0)
        self.assertEqual((self.root / path).read_text(encoding="utf-8"), "int a;\n")


if __name__ == "__main__":
    unittest.main()
