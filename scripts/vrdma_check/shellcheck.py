# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""shellcheck: every shell script, by its first line."""
from __future__ import annotations

from vrdma_check import programs
from vrdma_check.check import Context, Outcome


def run(context: Context) -> Outcome:
    files = context.tree.shell
    if not files:
        return Outcome([], "no files")
    command = [programs.find("shellcheck"), "--format=gcc", "-x", "-P", "SCRIPTDIR",
               "-P", "scripts/lib"]
    ran = programs.in_parallel(lambda part: programs.run([*command, *part], context.tree.root),
                               programs.shares(files))
    return Outcome(sorted({line for each in ran if each.status for line in each.lines}),
                   f"{len(files)} files")
