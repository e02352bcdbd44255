# SPDX-License-Identifier: Apache-2.0
"""Lines of at most 100 columns, in code and in documents.

Two kinds of lines may be longer, because they cannot be broken: a row of a table in
Markdown, and a line that is one word, such as a link, after its indentation or list mark.
"""
from __future__ import annotations

import re

from vrdma_check.check import Context, Outcome

COLUMNS = 100
_TABLE_ROW = re.compile(r"\s*(>\s*)?\|.*\|\s*$")
_ONE_WORD = re.compile(r"\s*((//|#+|\*|-|>|\d+\.)\s+)?\S+\s*$")
# The licences' texts are quoted to the letter, and these formats are written by programs.
_LEFT_OUT = re.compile(r"(^|/)LICENSES/|\.(svg|json|patch|diff)$")


def too_long(path: str, line: str) -> bool:
    if len(line.expandtabs(8)) <= COLUMNS:
        return False
    if path.endswith(".md") and _TABLE_ROW.match(line):
        return False
    return not _ONE_WORD.match(line)


def run(context: Context) -> Outcome:
    files = [path for path in context.tree.files if not _LEFT_OUT.search(path)]
    findings = [f"{path}:{number}: {len(line.expandtabs(8))} columns, {COLUMNS} are allowed"
                for path in files
                for number, line in enumerate(context.tree.text(path).splitlines(), 1)
                if too_long(path, line)]
    return Outcome(findings, f"{len(files)} files")
