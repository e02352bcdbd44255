# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The source of the Debian packages: its version, its files, what its build needs."""

from __future__ import annotations

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.packages.build import check_equal
from vrdma_lab.packages.clean_debian import SUITES
from vrdma_lab.packages.source import build_dependencies, make_source, package_version


class SourceTest(unittest.TestCase):
    folder: Path
    tree: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="package")))
        headers = cls.folder / "headers"
        (headers / "7.2").mkdir(parents=True)
        (headers / "7.2" / "VERSION").write_text("7.2.22\n")
        cls.tree = make_source(cls.folder / "made", "bookworm", headers)

    def test_a_package_for_the_newer_debian_is_newer(self) -> None:
        older, newer = (package_version(suite) for suite in SUITES)
        subprocess.run(["dpkg", "--compare-versions", older, "lt", newer], check=True)

    def test_a_version_is_said_everywhere(self) -> None:
        tree = make_source(self.folder / "older", "bookworm", self.folder / "headers", "0.0.9")
        said = subprocess.run(["dpkg-parsechangelog", "-S", "Version"], cwd=tree,
                              capture_output=True, text=True, check=True).stdout
        self.assertEqual(said, "0.0.9+deb12\n")
        self.assertIn("project(vrdma VERSION 0.0.9 ", (tree / "CMakeLists.txt").read_text())
        self.assertIn('PACKAGE_VERSION="0.0.9"\n', (tree / "frontend/dkms.conf").read_text())

    def test_the_changelog_has_the_commits_date(self) -> None:
        said = subprocess.run(["dpkg-parsechangelog", "-S", "Timestamp"], cwd=self.tree,
                              capture_output=True, text=True, check=True).stdout
        commit = subprocess.run(["git", "-C", paths.SOURCE, "log", "-1", "--format=%ct"],
                                capture_output=True, text=True, check=True).stdout
        self.assertEqual(said, commit)

    def test_the_tree_has_the_projects_files_and_qemus_headers(self) -> None:
        for name in ("CMakeLists.txt", "debian/rules", "frontend/dkms.conf",
                     "qemu/qemu-headers/7.2/VERSION"):
            self.assertTrue((self.tree / name).is_file(), name)
        self.assertFalse((self.tree / "build").exists())

    def test_a_build_needs_what_its_debian_has(self) -> None:
        for suite in SUITES:
            for name in build_dependencies(suite):
                self.assertRegex(name, re.compile(r"^[a-z0-9.+-]+$"))
        self.assertIn("systemd", build_dependencies("bookworm"))
        self.assertIn("systemd-dev", build_dependencies("trixie"))

    def test_builds_that_differ_are_named(self) -> None:
        one, other = self.folder / "one", self.folder / "other"
        for folder, text in ((one, "a"), (other, "b")):
            folder.mkdir()
            (folder / "same_1.deb").write_text("same")
            (folder / "different_1.deb").write_text(text)
        with self.assertRaisesRegex(LabError, "two builds differ in different_1.deb"):
            check_equal(one, other)
        check_equal(one, one)


if __name__ == "__main__":
    unittest.main()
