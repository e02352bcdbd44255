# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Tables of the figures of scripts/bench lab, for a terminal and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vrdma_lab import document
from vrdma_lab.bench import cases

Row = dict[str, Any]

_COMMAND = "scripts/bench lab"


def shown(value: object) -> str:
    """A number with three significant digits, a range, or a dash."""
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return " to ".join(shown(each) for each in value)
    assert isinstance(value, (int, float))
    magnitude = abs(value)
    digits = (
        0
        if magnitude >= 100
        else 1
        if magnitude >= 10
        else 2
        if magnitude >= 0.1 or not magnitude
        else 3
    )
    return f"{value:,.{digits}f}"


def shown_bytes(count: int) -> str:
    """A number of bytes in the largest unit that divides it; nothing for 0."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} B" if count else ""


_HEADINGS = (
    *("", "size", "native", "guest", "ratio", "of the rounds"),
    *("longer by exits", "exits each", "to devices", "wanted"),
)


def _cells(row: Row) -> tuple[str, ...]:
    values = [
        shown(row[key]) + (f" {row['unit']}" if row[key] is not None else "")
        for key in ("native", "guest")
    ]
    ratios = (shown(row["ratio"]), shown(row["ratio_range"]))
    exits = tuple(
        shown(row[key])
        for key in ("exits_worth", "exits_per_message", "device_accesses_per_message")
    )
    return (row["test"], shown_bytes(row["bytes"]), *values, *ratios, *exits, row["wanted"])


def _lines(rows: list[Row]) -> list[tuple[str, ...]]:
    """Headings and rows, without the columns in which no row has anything."""
    lines = [_HEADINGS, *map(_cells, rows)]
    used = [
        column
        for column in range(len(_HEADINGS))
        if any(line[column] not in ("", "–") for line in lines[1:])
    ]
    return [tuple(line[column] for column in used) for line in lines]


def _remarks(rows: list[Row]) -> list[str]:
    return [f"{row['test']}: {remark}" for row in rows for remark in row["remarks"]]


def _text_table(title: str, rows: list[Row]) -> str:
    lines = _lines(rows)
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = [title]
    for line in lines:
        first, *others = zip(line, widths)
        text.append(
            "  ".join(
                [f"{first[0]:{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
            ).rstrip()
        )
    return "\n".join(text + [f"  {remark}" for remark in _remarks(rows)]) + "\n"


def _markdown_table(title: str, rows: list[Row]) -> str:
    headings, *body = ["| " + " | ".join(line) + " |" for line in _lines(rows)]
    rule = "|---|" + "---:|" * (headings.count("|") - 2)
    text = "\n".join([f"### {title}", "", headings, rule, *body]) + "\n"
    remarks = "".join(f"- {remark}\n" for remark in _remarks(rows))
    return f"{text}\n{remarks}" if remarks else text


def _tables(rows: list[Row], table: Callable[[str, list[Row]], str]) -> str:
    groups = (
        (title, [row for row in rows if row["group"] == group])
        for group, title in cases.GROUPS.items()
    )
    return "\n".join(table(title, chosen) for title, chosen in groups if chosen)


def text(rows: list[Row]) -> str:
    """The tables for a terminal."""
    return _tables(rows, _text_table)


def check_document(path: Path) -> None:
    """Raises if put_into() could not put tables into this file."""
    document.check(path, _COMMAND)


def put_into(path: Path, rows: list[Row]) -> None:
    """Replaces the tables in a document, or makes a document of them."""
    document.put(path, _COMMAND, _tables(rows, _markdown_table))
