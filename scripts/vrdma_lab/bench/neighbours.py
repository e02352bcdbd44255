# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The measurement of scripts/bench neighbours: an honest guest beside attacks, without any VM.

Instructions are counted by callgrind and are the same in every run. So is, but for a little, the
time that a guest's verbs leave to the workers, because that is a budget. These are held against the
bar. The worker's CPU time depends on what else the machine does and on its caches, and is shown.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.bench.embedded import run_program
from vrdma_lab.errors import LabError

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
    repeatable: bool  # whether the limit is held against it

    @property
    def missed(self) -> bool:
        """Whether the ratio is over the limit."""
        return self.ratio > self.limit


def parse(line: str) -> Figure:
    """The figure in a line of the program's."""
    attack, kind, figure, alone, beside = line.split("\t")
    before, after = float(alone), float(beside)
    # A time gets longer, the time that is left gets shorter.
    of_pauses = figure.startswith("us of a ms")
    ratio = before / after if of_pauses else after / before
    limit = MOST_OF_SHARE if kind == "share" else MOST_OF_ATTACK
    return Figure(attack, figure, before, after, round(ratio, 3), limit, of_pauses)


def counted(line: str, alone: int, beside: int) -> Figure:
    """The figure for the instructions that callgrind counted where the program said `line`."""
    attack, _, figure, messages, _ = line.split("\t")
    name = figure.replace("worker ns", "instructions")
    before, after = alone / float(messages), beside / float(messages)
    ratio = round(after / before, 3)
    return Figure(attack, name, before, after, ratio, MOST_OF_ATTACK, True)


def _collected(dump: Path) -> int:
    found = re.search(r"^summary: (\d+)$", dump.read_text(), re.MULTILINE)
    if found is None or int(found.group(1)) == 0:
        raise LabError(f"callgrind collected nothing: {dump.name}")
    return int(found.group(1))


def _instructions(program: Path) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/dump"]
        command += ["--toggle-collect=vrdma::embedded::bench::step(*)"]
        command += ["--dump-before=vrdma::embedded::bench::end_figure()"]
        lines = run_program([*command, str(program), "instructions"]).stdout.splitlines()
        figures = []
        for n, line in enumerate(lines):
            # A dump of what was before the messages, and one of the messages; first alone.
            alone, beside = (_collected(Path(folder, f"dump.{4 * n + i}")) for i in (2, 4))
            figures.append(counted(line, alone, beside))
    return figures


def _show(one: Figure) -> None:
    verdict = ""
    if one.missed:
        verdict = "  missed" if one.repeatable else "  over"
    print(
        f"{one.attack:34} {one.figure:49} {one.alone:9.1f} {one.beside:9.1f} "
        f"{one.ratio:6.2f} {one.limit:5.2f}{verdict}"
    )


def report(output: Path | None) -> bool:
    """Measures, prints the figures, and writes them as JSON if there is a file for them.

    False when a repeatable figure misses its bar.
    """
    program = paths.build_folder() / "tests" / "bench" / "neighbours"
    print("Measuring times ...", flush=True)
    figures = [parse(line) for line in run_program([str(program)]).stdout.splitlines()]
    print("Counting instructions ...", flush=True)
    figures += _instructions(program)
    print(f"{'attack':34} {'figure':49} {'alone':>9} {'beside':>9} {'ratio':>6} {'bar':>5}")
    for one in figures:
        _show(one)
    if output is not None:
        fields = ("attack", "figure", "alone", "beside", "ratio")
        rows = [{key: asdict(one)[key] for key in fields} for one in figures]
        output.write_text(json.dumps(rows, indent=2) + "\n")
    return not any(one.missed and one.repeatable for one in figures)
