# SPDX-License-Identifier: Apache-2.0
"""Figures that were taken natively and in a guest, and the tables made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Figure:
    """One thing measured in several rounds; each has a native value and the guest's that was taken next to it."""

    group: str  # which table it belongs to
    test: str
    bytes: int
    unit: str
    wanted: str = ""  # the bar
    native: list[float] = field(default_factory=list)
    guest: list[float] = field(default_factory=list)
    exits_per_message: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, native: bool, value: float) -> None:
        (self.native if native else self.guest).append(value)

    @property
    def ratios(self) -> list[float]:
        return [guest / native for guest, native in zip(self.guest, self.native)]

    @property
    def ratio(self) -> float | None:
        return median(self.guest) / median(self.native) if self.guest and self.native else None

    @property
    def exits(self) -> float | None:
        return median(self.exits_per_message) if self.exits_per_message else None

    def as_json(self) -> dict[str, object]:
        return {
            "test": self.test,
            "bytes": self.bytes,
            "native": _rounded(self.native),
            "guest": _rounded(self.guest),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "exits_per_message": None if self.exits is None else round(self.exits, 3),
            "unit": self.unit,
            "group": self.group,
            "rounds": max(len(self.native), len(self.guest)),
            "native_range": _range(self.native),
            "guest_range": _range(self.guest),
            "ratio_range": _range(self.ratios),
            "exits_range": _range(self.exits_per_message),
            "wanted": self.wanted,
            "remarks": self.remarks,
        }


def exits_worth(figure: Figure, exit_cost: Figure) -> float | None:
    """How many exits take as long as the guest takes longer."""
    if figure.unit != "us" or not figure.native or not figure.guest:
        return None
    one = median(exit_cost.guest) - median(exit_cost.native)
    return round((median(figure.guest) - median(figure.native)) / one, 2)


def _rounded(values: list[float]) -> float | None:
    return round(median(values), 3) if values else None


def _range(values: list[float]) -> list[float] | None:
    return [round(min(values), 3), round(max(values), 3)] if values else None


def shown(value: object) -> str:
    """A number with three significant digits, a range, or a dash."""
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return " to ".join(shown(each) for each in value)
    assert isinstance(value, (int, float))
    magnitude = abs(value)
    return f"{value:,.0f}" if magnitude >= 100 else f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}"


def shown_bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} B" if count else ""


_HEADINGS = ("", "size", "native", "guest", "ratio", "of the rounds", "longer by exits", "exits each", "wanted")


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    unit = f" {row['unit']}"
    size = row["bytes"]
    assert isinstance(size, int)
    values = [shown(row[key]) + (unit if row[key] is not None else "") for key in ("native", "guest")]
    ratios = (shown(row["ratio"]), shown(row["ratio_range"]))
    exits = (shown(row["exits_worth"]), shown(row["exits_per_message"]))
    return (str(row["test"]), shown_bytes(size), *values, *ratios, *exits, str(row["wanted"]))


def _used_columns(lines: list[tuple[str, ...]]) -> list[int]:
    """Those in which any line has something."""
    return [column for column in range(len(_HEADINGS)) if any(line[column] not in ("", "–") for line in lines)]


def text_table(rows: Iterable[dict[str, object]]) -> str:
    """For a terminal."""
    lines = [_cells(row) for row in rows]
    columns = _used_columns(lines)
    widths = {column: max(len(line[column]) for line in [_HEADINGS, *lines]) for column in columns}
    return "\n".join(
        "  ".join(f"{line[column]:{'<' if column < 1 else '>'}{widths[column]}}" for column in columns).rstrip()
        for line in [_HEADINGS, *lines]
    )


def markdown_table(rows: Iterable[dict[str, object]]) -> str:
    """For docs/performance.md."""
    lines = [_cells(row) for row in rows]
    columns = _used_columns(lines)
    rule = "|" + "|".join("---" if column < 1 else "---:" for column in columns) + "|"
    body = ["| " + " | ".join(line[column] for column in columns) + " |" for line in [_HEADINGS, *lines]]
    return "\n".join([body[0], rule, *body[1:]])
