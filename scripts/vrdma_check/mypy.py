# SPDX-License-Identifier: Apache-2.0
"""mypy (pyproject.toml): the types of Python.

Files of different folders may have the same name, so that each folder is a program of its
own to mypy.  A package is one program with all of its folders.
"""
from __future__ import annotations

import os
from collections import defaultdict

from vrdma_check import programs
from vrdma_check.check import Context, Outcome
from vrdma_check.tree import Tree

_CACHE = "build/mypy"


def groups(tree: Tree) -> dict[str, list[str]]:
    """The Python files by the folder of their program."""
    packages = {os.path.dirname(path) for path in tree.python
                if os.path.basename(path) == "__init__.py"}
    found: dict[str, list[str]] = defaultdict(list)
    for path in tree.python:
        folder = os.path.dirname(path)
        while folder in packages and os.path.dirname(folder) in packages:
            folder = os.path.dirname(folder)
        found[folder].append(path)
    return found


def run(context: Context) -> Outcome:
    tree = context.tree

    def judge(item: tuple[str, list[str]]) -> list[str]:
        folder, files = item
        ran = programs.run(
            ["/usr/bin/python3", "-m", "mypy", "--no-error-summary", "--scripts-are-modules",
             "--no-explicit-package-bases",
             f"--cache-dir={_CACHE}/{folder.replace('/', '.')}", *files],
            tree.root, {"MYPYPATH": str(tree.root / "scripts")})
        return ran.lines if ran.status else []

    parts = sorted(groups(tree).items())
    findings = [line for lines in programs.in_parallel(judge, parts) for line in lines]
    return Outcome(sorted(set(findings)), f"{len(tree.python)} files in {len(parts)} programs")
