# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The measurement of scripts/bench neighbours: an honest guest beside attacks, without any VM."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.bench.embedded import run_program

PROGRAMS = ("neighbours",)

# What a neighbour may cost: an attack next to nothing, an ordinary one its share, which is half of
# the worker, and as much more.
MOST_OF_ATTACK = 1.10
MOST_OF_SHARE = 2.20


@dataclass(frozen=True)
class Figure:
    """One thing that was measured alone and beside an attack."""

    attack: str
    figure: str
    alone: float
    beside: float
    ratio: float  # how much worse the figure is beside the attack
    limit: float


def parse(line: str) -> Figure:
    """The figure in a line of the program's."""
    attack, kind, figure, alone, beside = line.split("\t")
    before, after = float(alone), float(beside)
    # A time gets longer, the time that is left gets shorter.
    ratio = before / after if figure.startswith("us of a ms") else after / before
    limit = MOST_OF_SHARE if kind == "share" else MOST_OF_ATTACK
    return Figure(attack, figure, before, after, round(ratio, 3), limit)


def report(output: Path | None) -> None:
    """Measures, prints the figures, and writes them as JSON if there is a file for them."""
    program = paths.build_folder() / "tests" / "bench" / "neighbours"
    figures = [parse(line) for line in run_program([str(program)]).stdout.splitlines()]
    print(f"{'attack':34} {'figure':46} {'alone':>9} {'beside':>9} {'ratio':>6} {'bar':>5}")
    for one in figures:
        missed = "  missed" if one.ratio > one.limit else ""
        print(
            f"{one.attack:34} {one.figure:46} {one.alone:9.1f} {one.beside:9.1f} "
            f"{one.ratio:6.2f} {one.limit:5.2f}{missed}"
        )
    if output is not None:
        fields = ("attack", "figure", "alone", "beside", "ratio")
        rows = [{key: asdict(one)[key] for key in fields} for one in figures]
        output.write_text(json.dumps(rows, indent=2) + "\n")
