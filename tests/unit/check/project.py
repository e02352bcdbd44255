# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A small project in a folder of its own for the checks to judge."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from vrdma_check.check import Context
from vrdma_check.stamps import Stamps
from vrdma_check.tree import Tree

SOURCE = Path(__file__).resolve().parents[3]
CONFIGURATIONS = (".clang-format", ".clang-tidy", ".flake8", ".checkpatch.conf", "pyproject.toml")
# The checks' own cache, for what has to be fetched.
CACHE = Path(os.environ.get("VRDMA_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vrdma"))


class ProjectTest(unittest.TestCase):
    """root: a git repository with the configurations of the real one."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="vrdma-check-test.")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "project"
        self.cache = Path(folder.name) / "cache"
        self.root.mkdir()
        self.git("init", "--quiet", "--initial-branch=work")
        for name in CONFIGURATIONS:
            shutil.copy(SOURCE / name, self.root / name)

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", *arguments],
            cwd=self.root, check=True, text=True, capture_output=True).stdout.strip()

    def write(self, path: str, text: str) -> str:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return path

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=a step")
        return self.git("rev-parse", "HEAD")

    def context(self, *, everything: bool = True, base: str | None = None,
                seconds: float | None = None, cache: Path | None = None) -> Context:
        """The input of a check, with the files that are there now."""
        return Context(Tree(self.root), cache or self.cache, Stamps(self.cache / "check"),
                       everything, base, seconds)
