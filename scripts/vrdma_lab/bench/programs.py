# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs the measuring programs, the same ones natively and in a guest, and reads their output."""

from __future__ import annotations

import itertools
import json
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import traffic
from vrdma_lab.programs.rdmacm import wait_listener
from vrdma_lab.programs.traffic import Exchange

_PATIENCE = 900.0
_HUGE_PAGE = 2 << 20
_ports = itertools.count(24000)

Key = tuple[str, int]
Observe = Callable[[str], object]


def program(side: Side, name: str) -> str:
    """The command of a program of tests/bench on a side."""
    if not side.native:
        return name  # guests have the program in their PATH
    found = paths.build_folder() / "tests" / "bench" / name
    if not found.exists():
        raise LabError(f"{found} is not built")
    return str(found)


def _command(side: Side, name: str, options: str, processor: int | None) -> str:
    # The shell execs the program, because the program is to get the signals.
    pinned = f"taskset --cpu-list {processor} " if processor is not None else ""
    index = side.gid_index(side.address_towards(side))
    where = f"--device {side.device} --gid-index {index}"
    return f"exec {pinned}{program(side, name)} {where} --json {options}"


def _json(side: Side, output: str, opening: str) -> Any:
    start = output.find(opening)
    if start < 0:
        raise LabError(f"{side.name}: no JSON in: {output}")
    return json.loads(output[start:])


def _medians(side: Side, output: str) -> dict[Key, float]:
    results = _json(side, output, "[")
    return {(result["test"], result["bytes"]): result["median_us"] for result in results}


def _run_in_steps(side: Side, command: str, marks: tuple[str, str], observe: Observe) -> Outcome:
    """Runs a program that waits at its marks, and observes there."""
    job = side.start(command)
    for mark in marks:
        job.wait_for(f"{mark}\n", _PATIENCE)
        observe(mark)
        job.signal(signal.SIGUSR1)
    return job.wait(_PATIENCE)


def _must_run_in_steps(side: Side, command: str, observe: Observe) -> dict[Key, float]:
    outcome = _run_in_steps(side, command, ("ready", "measured"), observe)
    if not outcome.ok:
        raise LabError(f"{side.name}: status {outcome.status} from {command}:\n{outcome.output}")
    return _medians(side, outcome.output)


def latency(side: Side, options: str, observe: Observe, processor: int | None = None) -> float:
    """Microseconds of one kind of message.

    `observe` is called before the first message ("ready") and after the last ("measured").
    """
    medians = _must_run_in_steps(
        side, _command(side, "rdma_latency", f"--steps {options}", processor), observe
    )
    if len(medians) != 1:
        raise LabError(f"{side.name}: not one result of {options}: {medians}")
    return next(iter(medians.values()))


def control_times(side: Side, options: str, observe: Observe) -> dict[Key, float]:
    """Microseconds of the verbs of one kind of object, by verb and size.

    `observe` is called as for latency().
    """
    return _must_run_in_steps(
        side, _command(side, "rdma_control", f"--steps {options}", None), observe
    )


def exit_times(side: Side, tests: Iterable[str], processor: int | None = None) -> dict[str, float]:
    """Microseconds of the tests of vm_exit."""
    pinned = f"taskset --cpu-list {processor} " if processor is not None else ""
    output = side.must(
        f"{pinned}{program(side, 'vm_exit')} --json --tests {','.join(tests)}", _PATIENCE
    )
    return {test: value for (test, _), value in _medians(side, output).items()}


def region(side: Side, pages: str, size: int, observe: Observe) -> dict[str, Any]:
    """The result of rdma_control for one memory region, which may be refused.

    `observe` is called right before ("ready") and after ("tried") the region is registered.
    """
    command = _command(side, "rdma_control", f"--steps --region {size} --pages {pages}", None)
    with _huge_page_pool(side, size if pages == "hugetlb" else 0):
        outcome = _run_in_steps(side, command, ("ready", "tried"), observe)
    # The status is not 0 if the region was refused, which is a result too.
    result: dict[str, Any] = _json(side, outcome.output, "{")
    return result


@contextmanager
def _huge_page_pool(side: Side, size: int) -> Iterator[None]:
    """Has `size` bytes in the pool of huge pages, which is empty before and after."""
    count = -(-size // _HUGE_PAGE)
    file = "/proc/sys/vm/nr_hugepages"
    got = int(
        side.must(
            f"echo 1 > /proc/sys/vm/compact_memory; echo {count} > {file} && cat {file}", _PATIENCE
        )
    )
    try:
        if got < count:
            raise LabError(
                f"{side.name} gave {got} of {count} huge pages: "
                "it has too little memory, or in pieces"
            )
        yield
    finally:
        side.must(f"echo 0 > {file}")


def bandwidth(side: Side, exchange: Exchange, say: Callable[[str], None]) -> float:
    """The bandwidth of one of perftest's programs from a side to itself, in MB/s."""
    result = traffic.run(side, side, exchange, _PATIENCE, say)
    if not result.ok or result.mbit_per_s is None:
        raise LabError(result.error or f"{exchange.title} measured nothing")
    return result.mbit_per_s / 8


def connection_times(side: Side, listens: Side, connections: int) -> dict[str, float]:
    """Microseconds of each step of a connection, by cmtime from a side to itself.

    `listens` is the side whose kernel has the listener.
    """
    port = next(_ports)
    address = side.address_towards(side)
    server = side.start(f"exec env {LINE_BUFFERED} cmtime -b {address} -p {port}")
    wait_listener(listens, port, server)
    output = side.must(f"cmtime -s {address} -p {port} -c {connections}", _PATIENCE)
    server.kill()
    # A line is "connect : total ms, max ms, min us, us / conn". The last number counts; the ones
    # before it may run together.
    steps = re.findall(r"^([a-z][a-z ]*?) *: .*?([0-9.]+)$", output, re.MULTILINE)
    if len(steps) != 7 or "RDMA_CM_EVENT" in output:
        raise LabError(f"{side.name}: cmtime did not make its {connections} connections:\n{output}")
    return {step: float(value) for step, value in steps}
