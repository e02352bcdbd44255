# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Documents of which a command writes a part, between two lines that say so."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from vrdma_lab.errors import LabError

_END = "<!-- to here -->"
_COLUMNS = 100
_ITEM = re.compile(r" *- ")
# A line that began with one of these would begin a list, a heading or a quotation.
_NO_BEGINNING = re.compile(r" (?=(?:[-+*>]|#+|\d+[.)])(?: |$))")


def _begin(command: str) -> str:
    return f"<!-- Made by {command}: do not edit from here -->"


def check(path: Path, command: str) -> None:
    """Raises if put() could not put the command's part into this file."""
    if not path.exists():
        return
    begin, content = _begin(command), path.read_text()
    if (
        content.count(begin) != 1
        or content.count(_END) != 1
        or content.index(begin) > content.index(_END)
    ):
        raise LabError(
            f"{path} is there, but has no lines '{begin}' and '{_END}' to put tables between"
        )


def folded(part: str) -> str:
    """The text with its list items broken into lines of at most 100 columns."""
    lines = []
    for line in part.split("\n"):
        item = _ITEM.match(line)
        if item and len(line) > _COLUMNS:
            lines += textwrap.wrap(
                _NO_BEGINNING.sub("\0", line.removeprefix(item[0])),
                _COLUMNS,
                initial_indent=item[0],
                subsequent_indent=" " * item.end(),
                break_long_words=False,
                break_on_hyphens=False,
            )
        else:
            lines.append(line)
    return "\n".join(lines).replace("\0", " ")


def put(path: Path, command: str, part: str) -> None:
    """Replaces the command's part of a document, or makes a document of it."""
    check(path, command)
    before, after = (f"{_begin(command)}\n\n", f"\n{_END}\n")
    if path.exists():
        content = path.read_text()
        before = content[: content.index(before.strip())] + before
        after = f"\n{content[content.index(_END):]}"
    path.write_text(before + folded(part) + after)
