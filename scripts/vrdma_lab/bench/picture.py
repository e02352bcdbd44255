# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The picture of latency and bandwidth by size that scripts/bench lab draws."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vrdma_lab.bench import svg
from vrdma_lab.bench.tables import Row, shown_bytes
from vrdma_lab.errors import LabError

# Two colours that people of any sight tell apart, on white paper and in grey.
_SIDES = {"native": ("#0072b2", "o"), "guest": ("#d55e00", "s")}
_PANELS = {"us": "microseconds for a message", "MB/s": "MB/s"}


def check(rows: Iterable[Row]) -> None:
    """Raises if there is nothing to draw."""
    if not _of_curves(rows):
        raise LabError(
            "nothing to draw: the figures have no group curves (scripts/bench lab --groups curves)"
        )


def _of_curves(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["group"] == "curves"]


def _draw_panel(axes: Any, rows: list[Row], unit: str) -> None:
    sizes = [row["bytes"] for row in rows]
    for side, (colour, mark) in _SIDES.items():
        low, high = zip(*(row[f"{side}_range"] for row in rows))
        axes.plot(sizes, [row[side] for row in rows], color=colour, marker=mark, label=side)
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    axes.set_xticks(sizes, [shown_bytes(size) for size in sizes], rotation=45)
    axes.minorticks_off()
    axes.set_title(rows[0]["test"])
    axes.set_ylabel(_PANELS[unit])
    axes.grid(True, alpha=0.3)
    axes.legend()


def draw(path: Path, rows: Iterable[Row]) -> None:
    """Draws the curves of the figures into a file of SVG.

    A line has the medians of the rounds, and the band around it their range.  The same figures give
    the same file.
    """
    curves = _of_curves(rows)
    check(curves)
    pyplot = svg.load_pyplot()
    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(10, 4.2), layout="constrained")
    for axes, unit in zip(panels, _PANELS):
        rows_of_unit = [row for row in curves if row["unit"] == unit]
        if rows_of_unit:
            _draw_panel(axes, rows_of_unit, unit)
    svg.save(pyplot, figure, path)
