# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""flake8 (.flake8): names, imports and layout of Python.  Debian 12 has no ruff."""
from __future__ import annotations

from vrdma_check import programs
from vrdma_check.check import Context, Outcome


def run(context: Context) -> Outcome:
    files = context.tree.python
    if not files:
        return Outcome([], "no files")
    # The length of lines is the check "columns", for every language.
    ran = programs.run(["/usr/bin/python3", "-m", "flake8", "--extend-ignore=E501", *files],
                       context.tree.root)
    return Outcome(ran.lines if ran.status else [], f"{len(files)} files")
