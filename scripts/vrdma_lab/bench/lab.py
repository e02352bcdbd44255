# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The measurements of scripts/bench lab, natively and in a guest, and their tables."""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vrdma_lab import paths
from vrdma_lab.bench import cases, picture, tables
from vrdma_lab.bench.request import Request
from vrdma_lab.children import WorkFolder
from vrdma_lab.errors import LabError
from vrdma_lab.host.host_lab import HostLab, seen_inside
from vrdma_lab.host.places import machine_is_a_host
from vrdma_lab.network.rnics import KINDS

Rows = list[dict[str, Any]]

_KERNEL = "6.1"
# A host VM with two processors may hang (vm/host_vm.py). It is started anew then, and the output
# says so.
_ISOLATED_LIMIT = 420.0
_ATTEMPTS = 3


class MeasurementFailed(LabError):
    """The measurements themselves failed, on a host that works.

    To repeat them would hide that.
    """


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _command(request: Request) -> list[str]:
    return ["/usr/bin/python3", "-m", "vrdma_lab.bench.host", request.encoded()]


def _read(report: Path, status: int) -> Rows:
    if status != 0 or not report.exists():
        raise MeasurementFailed(f"the measurements ended with status {status}")
    rows: Rows = json.loads(report.read_text())
    return rows


def _on_this_machine(request: Request) -> Rows:
    work = WorkFolder()
    try:
        report = work.path / "report.json"
        command = _command(replace(request, report=str(report)))
        environment = {**os.environ, **paths.python_environment()}
        return _read(report, subprocess.run(command, env=environment).returncode)
    finally:
        work.remove()


def _in_host_vm(request: Request, isolated: bool, limit: float) -> Rows:
    kind, behind = (request.rnic, "") if request.rnic in KINDS else ("rxe", request.rnic)
    with HostLab(1, kind, _KERNEL, isolated) as lab:
        (host,) = lab.hosts
        report = lab.share / "report.json"
        inside = replace(request, rnic=behind, report=str(seen_inside(report, lab)))
        command = shlex.join(_command(inside))
        job = host.start(f"{lab.environment(host)}exec {command} 2>&1", _print)
        return _read(report, job.wait(limit).status)


def _isolated_in_host_vm(request: Request) -> Rows:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _in_host_vm(request, True, _ISOLATED_LIMIT)
        except MeasurementFailed:
            raise
        except LabError as error:
            if attempt == _ATTEMPTS:
                raise
            print(
                f"bench: repeated on a new host VM with two processors, because: {error}",
                flush=True,
            )
    raise AssertionError("unreachable")


def _warn_of_load() -> None:
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load > processors / 2:
        print(
            f"This machine is busy (load {load:.1f}, {processors} processors): "
            "the rounds will spread.",
            flush=True,
        )


def _measure(request: Request) -> Rows:
    _warn_of_load()
    if request.rnic not in KINDS and machine_is_a_host(_KERNEL):
        return _on_this_machine(request)
    rows: Rows = []
    plain = tuple(group for group in request.groups if group not in cases.ISOLATED_GROUPS)
    isolated = tuple(group for group in request.groups if group in cases.ISOLATED_GROUPS)
    if plain:
        rows += _in_host_vm(replace(request, groups=plain), False, math.inf)
    if isolated:
        print("A second processor for the guest, so that the daemon can spin ...", flush=True)
        rows += _isolated_in_host_vm(replace(request, groups=isolated))
    return rows


@dataclass(frozen=True)
class Outputs:
    """Files that get the figures besides the terminal."""

    json: Path | None = None
    markdown: Path | None = None
    svg: Path | None = None

    def check(self) -> None:
        """Raises before a measurement, if a file could not take its result."""
        if self.markdown is not None:
            tables.check_document(self.markdown)

    def write(self, rows: Rows) -> None:
        """Prints the tables and writes the files."""
        print("\n" + tables.text(rows))
        if self.json is not None:
            self.json.write_text(json.dumps(rows, indent=2) + "\n")
        if self.markdown is not None:
            tables.put_into(self.markdown, rows)
        if self.svg is not None:
            picture.draw(self.svg, rows)


def report(groups: tuple[str, ...], rounds: int, rnic: str, outputs: Outputs) -> None:
    """Measures and shows the figures."""
    outputs.check()
    outputs.write(_measure(Request(groups, rounds, rnic)))


def show(source: Path, outputs: Outputs) -> None:
    """Shows the figures in a file of JSON."""
    outputs.check()
    outputs.write(json.loads(source.read_text()))
