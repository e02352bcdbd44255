# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Lines of at most 100 columns, in code and in documents.

Three kinds of lines may be longer, because they cannot be broken: a row of a table in
Markdown, a line that is one word, such as a link, after its indentation or list mark, and in
the style of Linux a line that is one message, so that a search finds the message
(https://docs.kernel.org/process/coding-style.html, "Breaking long lines and strings").
"""
from __future__ import annotations

import re

from vrdma_check.check import Context, Outcome
from vrdma_check.tree import Style, style_of

COLUMNS = 100
_TABLE_ROW = re.compile(r"\s*(>\s*)?\|.*\|\s*$")
_ONE_WORD = re.compile(r"\s*((//|#+|\*|-|>|\d+\.)\s+)?\S+\s*$")
_MESSAGE = re.compile(r"""\s*(?:\w+\()?"[^"]*"(?:,|\);)$""")
# The licences' texts are quoted to the letter, and these formats are written by programs.
_LEFT_OUT = re.compile(r"(^|/)LICENSES/|\.(svg|json|patch|diff)$")


def too_long(path: str, line: str) -> bool:
    if len(line.expandtabs(8)) <= COLUMNS:
        return False
    if path.endswith(".md") and _TABLE_ROW.match(line):
        return False
    if style_of(path) is Style.KERNEL and _MESSAGE.match(line):
        return False
    return not _ONE_WORD.match(line)


def run(context: Context) -> Outcome:
    files = [path for path in context.tree.files if not _LEFT_OUT.search(path)]
    findings = [f"{path}:{number}: {len(line.expandtabs(8))} columns, {COLUMNS} are allowed"
                for path in files
                for number, line in enumerate(context.tree.text(path).splitlines(), 1)
                if too_long(path, line)]
    return Outcome(findings, f"{len(files)} files")
