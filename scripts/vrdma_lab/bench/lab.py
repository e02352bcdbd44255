# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench lab runs once everything is built: measures on an RDMA host, and prints tables."""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from vrdma_lab.bench import cases
from vrdma_lab.bench import tables
from vrdma_lab.children import WorkFolder, raise_on_signals
from vrdma_lab.cli.lab import machine_is_a_host
from vrdma_lab.errors import Interrupted, LabError
from vrdma_lab.host.host_lab import HostLab, seen_inside

Rows = list[dict[str, Any]]

_KERNEL = "6.1"
# A host VM with two processors may hang (host_vm.py); then it is started anew, and said to be.
_ISOLATED_LIMIT = 420.0
_ATTEMPTS = 3


class MeasurementFailed(LabError):
    """The measurements themselves failed, on a host that works: doing them again would hide that."""


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _command(report: Path, groups: list[str], arguments: argparse.Namespace) -> list[str]:
    words = ["/usr/bin/python3", "-m", "vrdma_lab.bench.host", "--json", str(report), "--groups", ",".join(groups)]
    words += ["--rounds", str(arguments.rounds)]
    return words + (["--rnic", arguments.rnic] if arguments.rnic else [])


def _read(report: Path, status: int) -> Rows:
    if status != 0 or not report.exists():
        raise MeasurementFailed(f"the measurements ended with status {status}")
    rows: Rows = json.loads(report.read_text())
    return rows


def _on_this_machine(groups: list[str], arguments: argparse.Namespace) -> Rows:
    work = WorkFolder()
    try:
        report = work.path / "report.json"
        return _read(report, subprocess.run(_command(report, groups, arguments)).returncode)
    finally:
        work.remove()


def _in_host_vm(groups: list[str], arguments: argparse.Namespace, isolated: bool, limit: float) -> Rows:
    with HostLab(1, "rxe", _KERNEL, isolated) as lab:
        (host,) = lab.hosts
        report = lab.share / "report.json"
        command = shlex.join(_command(seen_inside(report, lab), groups, arguments))
        job = host.start(f"{lab.environment(host)}exec {command} 2>&1", _print)
        return _read(report, job.wait(limit).status)


def _isolated_in_host_vm(groups: list[str], arguments: argparse.Namespace) -> Rows:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _in_host_vm(groups, arguments, True, _ISOLATED_LIMIT)
        except MeasurementFailed:
            raise
        except LabError as error:
            if attempt == _ATTEMPTS:
                raise
            print(f"bench: repeated on a new host VM with two processors, because: {error}", flush=True)
    raise AssertionError("unreachable")


def _warn_of_load() -> None:
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load > processors / 2:
        print(f"This machine is busy (load {load:.1f}, {processors} processors): the rounds will spread.", flush=True)


def _measure(arguments: argparse.Namespace) -> Rows:
    _warn_of_load()
    if machine_is_a_host(_KERNEL):
        return _on_this_machine(arguments.groups, arguments)
    rows: Rows = []
    plain = [group for group in arguments.groups if group not in cases.ISOLATED_GROUPS]
    isolated = [group for group in arguments.groups if group in cases.ISOLATED_GROUPS]
    if plain:
        rows += _in_host_vm(plain, arguments, False, math.inf)
    if isolated:
        print("A second processor for the guest, so that the daemon can spin ...", flush=True)
        rows += _isolated_in_host_vm(isolated, arguments)
    return rows


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--from", dest="source", type=Path)
    parser.add_argument("--rounds", type=int, default=cases.ROUNDS)
    parser.add_argument("--groups", type=lambda text: text.split(","), default=list(cases.GROUPS))
    parser.add_argument("--rnic", default="")
    return parser.parse_args()


def main() -> int:
    arguments = _parse()
    raise_on_signals()
    try:
        if arguments.markdown is not None:
            tables.check_document(arguments.markdown)
        rows = _measure(arguments) if arguments.source is None else json.loads(arguments.source.read_text())
    except LabError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("bench: interrupted, all is cleaned up", file=sys.stderr)
        return 128 + interrupted.signal_number
    print("\n" + tables.text(rows))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    if arguments.markdown is not None:
        tables.put_into(arguments.markdown, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
