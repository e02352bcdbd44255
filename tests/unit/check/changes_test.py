# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The files that count as changed."""
from __future__ import annotations

import unittest

from project import ProjectTest
from vrdma_check.changes import COMMITS_ON_MAIN, base_commit, changed_files
from vrdma_check.check import CheckError
from vrdma_check.includes import IncludeGraph


class Changes(ProjectTest):
    def changed(self, base: str | None = None) -> set[str]:
        return changed_files(self.context().tree, base)

    def test_on_a_branch_it_is_what_the_branch_changed(self) -> None:
        self.write("old.cc", "")
        self.commit()
        self.git("branch", "main")
        self.write("new.cc", "")
        self.commit()
        self.assertEqual(self.changed(), {"new.cc"})

    def test_what_is_not_committed_counts(self) -> None:
        self.write("old.cc", "")
        self.commit()
        self.git("branch", "main")
        self.commit()
        self.write("old.cc", "int a;\n")
        self.write("new.cc", "")
        self.assertEqual(self.changed(), {"old.cc", "new.cc"})

    def test_origin_s_main_comes_before_the_clone_s(self) -> None:
        first = self.commit()
        self.git("branch", "main")
        second = self.commit()
        self.git("update-ref", "refs/remotes/origin/main", second)
        self.commit()
        self.assertEqual(base_commit(self.context().tree, None), second)
        self.assertEqual(base_commit(self.context().tree, "main"), first)

    def test_on_main_it_is_what_the_last_commits_changed(self) -> None:
        self.write("old.cc", "")
        self.commit()
        self.write("new.cc", "")
        for _ in range(COMMITS_ON_MAIN):
            self.commit()
        self.git("branch", "main")
        self.assertEqual(self.changed(), {"new.cc"})

    def test_without_a_commit_to_compare_with_it_is_everything(self) -> None:
        self.write("a.cc", "")
        self.commit()
        self.assertIn("a.cc", self.changed())

    def test_a_removed_file_is_none_to_judge(self) -> None:
        self.write("a.cc", "")
        self.commit()
        self.git("branch", "main")
        (self.root / "a.cc").unlink()
        self.commit()
        self.assertEqual(self.changed(), set())

    def test_a_base_that_is_not_there_is_refused(self) -> None:
        self.commit()
        with self.assertRaises(CheckError):
            self.changed("nowhere")


class Includes(ProjectTest):
    def test_a_file_reads_what_its_includes_include(self) -> None:
        self.write("backend/a.cc", '#include "device/b.h"\n#include <vector>\n')
        self.write("backend/device/b.h", '#include "c.h"\n')
        self.write("backend/device/c.h", '#include "b.h"\n')
        graph = IncludeGraph(self.context().tree, ["backend"])
        self.assertEqual(graph.all_of("backend/a.cc"),
                         {"backend/a.cc", "backend/device/b.h", "backend/device/c.h"})


if __name__ == "__main__":
    unittest.main()
