# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The measurements of scripts/bench embedded: the embedded RNIC without any virtual machine."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError

PROGRAMS = ("embedded_bench", "embedded_instructions")

_MESSAGES = 1000
_MIB = 1 << 20


@dataclass(frozen=True)
class Figure:
    """One thing that was measured."""

    name: str
    value: float
    unit: str


def run_program(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end; what it said."""
    try:
        # The kernel ends the program with this process, whatever ends this process.
        return subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", *command], check=True, capture_output=True, text=True
        )
    except subprocess.CalledProcessError as error:
        raise LabError(
            f"{command[0]} failed with status {error.returncode}:\n{error.stderr.strip()}"
        ) from None


def _times(program: Path) -> list[Figure]:
    """Google Benchmark's figures: the time of an operation, and the bytes a second it moves."""
    report = json.loads(run_program([str(program), "--benchmark_format=json"]).stdout)
    figures = []
    for run in report["benchmarks"]:
        figures.append(Figure(run["name"], round(run["real_time"], 2), run["time_unit"]))
        if "bytes_per_second" in run:
            figures.append(
                Figure(f"{run['name']} bandwidth", round(run["bytes_per_second"] / 1e6, 1), "MB/s")
            )
    return figures


def _ratios(figures: list[Figure]) -> list[Figure]:
    """The bandwidth of each benchmark at 1 MiB in terms of memcpy's in the same run."""
    suffix = f"/{_MIB} bandwidth"
    large = {
        figure.name.removesuffix(suffix): figure.value
        for figure in figures
        if figure.name.endswith(suffix)
    }
    memcpy = large.pop("BM_Memcpy", None)
    if not memcpy:
        raise LabError("embedded_bench measured no memcpy of 1 MiB to compare with")
    return [
        Figure(f"{name}/{_MIB} over memcpy", round(value / memcpy, 3), "ratio")
        for name, value in large.items()
    ]


def _instructions(program: Path, operation: str, size: int) -> Figure:
    """Instructions of the engine for one message.

    They are counted from its look at the doorbell to the completion.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind"]
        command += ["--toggle-collect=vrdma::embedded::Worker::poll_once()"]
        said = run_program([*command, str(program), operation, str(size), str(_MESSAGES)]).stderr
    collected = re.search(r"Collected : (\d+)", said)
    if collected is None or int(collected.group(1)) == 0:
        raise LabError(f"callgrind collected nothing in {program.name} {operation} {size}:\n{said}")
    return Figure(
        f"instructions per {size}-byte {operation}",
        round(int(collected.group(1)) / _MESSAGES, 1),
        "instructions",
    )


def measure() -> list[Figure]:
    """Measures everything; the figures."""
    folder = paths.build_folder() / "tests" / "bench"
    print("Measuring times ...", flush=True)
    figures = _times(folder / "embedded_bench")
    figures += _ratios(figures)
    print("Counting instructions ...", flush=True)
    figures += [
        _instructions(folder / "embedded_instructions", operation, 64)
        for operation in ("write", "send", "send-with-event", "read")
    ]
    return figures


def report(output: Path | None) -> None:
    """Measures, prints the figures, and writes them as JSON if there is a file for them."""
    figures = measure()
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        print(f"{figure.name:{width}}  {figure.value:>14,.3f}  {figure.unit}")
    if output is not None:
        output.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
