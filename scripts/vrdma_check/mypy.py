# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""mypy (pyproject.toml): the types of Python.

Files of different folders may have the same name, so that each folder is a program of its
own to mypy.  A package is one program with all of its folders.
"""
from __future__ import annotations

import os
from collections import defaultdict

from vrdma_check import programs
from vrdma_check.check import Context, Outcome
from vrdma_check.stamps import digest
from vrdma_check.tree import Tree

NAME = "mypy"
CACHE = "build/mypy"
_MYPY = ("/usr/bin/python3", "-m", "mypy")
OPTIONS = ("--no-error-summary", "--scripts-are-modules", "--no-explicit-package-bases")


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


def _key(tree: Tree) -> str:
    """What the verdict on all programs depends on, as one hash."""
    version = programs.run([*_MYPY, "--version"], tree.root).output
    texts = [path for path in tree.files if path == "pyproject.toml"] + tree.python
    return digest([version, *(part for path in texts for part in (path, tree.text(path)))])


def run(context: Context) -> Outcome:
    tree = context.tree
    # The programs share what mypy knows of the libraries, so they run one after the other, the
    # largest first.
    parts = sorted(groups(tree).values(), key=len, reverse=True)
    looked_at = f"{len(tree.python)} files in {len(parts)} programs"
    key = _key(tree)
    if context.stamps.has(NAME, key):
        return Outcome([], f"{looked_at}, known from before")
    findings: set[str] = set()
    for files in parts:
        ran = programs.run([*_MYPY, *OPTIONS, f"--cache-dir={CACHE}", *files], tree.root,
                           {"MYPYPATH": str(tree.root / "scripts")})
        if ran.status:
            findings.update(ran.lines)
    if not findings:
        context.stamps.add(NAME, key)
    return Outcome(sorted(findings), looked_at)
