# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs the measurements of scripts/bench lab on the RDMA host; the only argument is a Request."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vrdma_lab.bench import cases
from vrdma_lab.bench.figures import Figure, exits_worth
from vrdma_lab.bench.measure import Measurements
from vrdma_lab.bench.request import Request
from vrdma_lab.children import run_program
from vrdma_lab.errors import LabError
from vrdma_lab.host.rdma_host import RdmaHost
from vrdma_lab.machine.progress import Patience
from vrdma_lab.vm.guest import Guest, GuestOptions

# The guest has a gigabyte in huge pages, and the memory that it needs besides.
_GUEST = GuestOptions(memory_mib=1792)
# The longest time that a daemon can be told to spin.
_SPIN_US = 1_000_000


def _say(text: str) -> None:
    print(text, flush=True)


def _isolated_processor() -> int | None:
    """The processor that the kernel was told to keep free, if there is one."""
    text = Path("/sys/devices/system/cpu/isolated").read_text().strip()
    return int(text.replace("-", ",").split(",")[0]) if text else None


def _give_processor(guest: Guest, processor: int) -> None:
    """Puts the guest's processor on one of the host's."""
    tasks = Path(f"/proc/{guest.qemu.process.pid}/task")
    patience = Patience(30)
    while True:
        # QEMU names its threads (debug-threads=on).
        found = [
            int(task.name)
            for task in tasks.iterdir()
            if (task / "comm").read_text().startswith("CPU 0/")
        ]
        if found:
            os.sched_setaffinity(found[0], {processor})
            return
        guest.qemu.check()
        if patience.over:
            raise LabError(
                f"the QEMU of guest {guest.name} has no thread for a processor, {patience.why()}"
            )
        time.sleep(0.05)


@contextmanager
def _booted(
    request: Request, spin_us: int, processor: int | None, rnic: str | None = None
) -> Iterator[Measurements]:
    """A daemon and a guest to measure."""
    with RdmaHost() as host:
        host.serve([1], rnic=rnic or request.rnic, spin_us=spin_us)
        guest = host.launch(1, _GUEST)
        if processor is not None:
            _give_processor(guest, processor)
        guest.wait_booted()
        guest.wait_device()
        yield Measurements(host, guest, request.rounds, _say, processor)


def _measure_asleep(request: Request) -> list[Figure]:
    with _booted(request, 0, None) as measurements:
        measurements.parts("parts", cases.PARTS)
        if "latency" in request.groups:
            for latency in cases.LATENCY:
                # Where the library writes paths, a guest's datagrams do not reach the guest itself.
                if latency.transport != "ud" or not measurements.host.kind.writes_paths:
                    measurements.latency("latency", latency)
        if "bandwidth" in request.groups:
            for exchange in cases.BANDWIDTH:
                measurements.bandwidth("bandwidth", exchange)
        if "curves" in request.groups:
            for latency in cases.CURVE_LATENCY:
                measurements.latency("curves", latency)
            for exchange in cases.CURVE_BANDWIDTH:
                measurements.bandwidth("curves", exchange)
        if "control" in request.groups:
            for control in cases.CONTROL:
                measurements.control("control", control)
        if "regions" in request.groups:
            for pages, size in cases.REGIONS:
                measurements.region("regions", pages, size)
        if "connections" in request.groups:
            measurements.connections("connections", measurements.host.native)
        return measurements.figures


def _measure_spinning(request: Request) -> list[Figure]:
    with _booted(request, _SPIN_US, _isolated_processor()) as measurements:
        measurements.parts("spinning", ["cpuid"])
        for latency in cases.SPINNING:
            measurements.latency("spinning", latency)
        return measurements.figures


def _measure_embedded(request: Request) -> list[Figure]:
    """The figures of a guest whose own kernel has the connection manager."""
    with _booted(request, 0, None, "embedded") as measurements:
        measurements.parts("connections_embedded", ["cpuid"])
        measurements.connections("connections_embedded", None)
        return measurements.figures


def _rows(figures: list[Figure]) -> list[dict[str, object]]:
    exit_cost = next(figure for figure in figures if figure.test == cases.EXIT)
    return [
        {**figure.as_json(), "exits_worth": exits_worth(figure, exit_cost)} for figure in figures
    ]


def _measure() -> int:
    request = Request.decoded(sys.argv[1])
    rows = []
    if set(request.groups) - set(cases.ISOLATED_GROUPS) - {"connections_embedded"}:
        rows += _rows(_measure_asleep(request))
    if "connections_embedded" in request.groups:
        rows += _rows(_measure_embedded(request))
    if set(request.groups) & set(cases.ISOLATED_GROUPS):
        rows += _rows(_measure_spinning(request))
    Path(request.report).write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("bench", _measure))
