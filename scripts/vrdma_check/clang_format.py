# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""clang-format: the layout of the project's own C and C++ (.clang-format)."""
from __future__ import annotations

import re

from vrdma_check import programs
from vrdma_check.check import CheckError, Context, Outcome
from vrdma_check.tree import Style

_FINDING = re.compile(r"(.+?):(\d+):\d+: (?:error|warning): code should be clang-formatted")
# Other versions lay some lines out otherwise, so there is no way round Debian 12's.
_PROGRAM = "clang-format-14"


def run(context: Context) -> Outcome:
    program = programs.find(_PROGRAM)
    files = context.tree.in_style(Style.PROJECT)
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for ran in programs.in_parallel(
            lambda part: programs.run([program, "--dry-run", "-Werror", *part],
                                      context.tree.root), programs.shares(files)):
        matches = [match for match in map(_FINDING.match, ran.lines) if match]
        if ran.status != 0 and not matches:
            raise CheckError("\n".join(ran.lines))
        for match in matches:
            first.setdefault(match[1], match[2])
            count[match[1]] = count.get(match[1], 0) + 1
    findings = [f"{path}:{first[path]}: clang-format would change this and {count[path] - 1} more"
                if count[path] > 1 else f"{path}:{first[path]}: clang-format would change this"
                for path in sorted(first)]
    return Outcome(findings, f"{len(files)} files")


def fix(context: Context) -> None:
    program = programs.find(_PROGRAM)
    files = context.tree.in_style(Style.PROJECT)
    programs.in_parallel(lambda part: programs.run([program, "-i", *part], context.tree.root),
                         programs.shares(files))
    context.tree.forget()
