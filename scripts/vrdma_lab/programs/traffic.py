# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Debian's RDMA programs between two sides, or a side and itself, and their figures."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from vrdma_lab.errors import LabError
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job
from vrdma_lab.machine.side import Side

# Seconds. A busy machine makes programs slow, and under TCG they are slow anyway.
PATIENCE = 180.0

_ports = itertools.count(20000)


class Pair(Protocol):
    """A program and its options, for two sides."""

    def command(self, side: Side, peer: Side, port: int, serves: bool) -> str:
        """The command line of one of the two sides."""
        ...


@dataclass(frozen=True)
class Exchange:
    """One run of one program."""

    tool: str
    size: int
    iterations: int
    options: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The program with its options."""
        return " ".join((self.tool, *self.options))

    @property
    def is_pingpong(self) -> bool:
        """Whether it is one of libibverbs' ping-pong programs."""
        return self.tool.endswith("_pingpong")

    @property
    def is_bandwidth(self) -> bool:
        """Whether it measures bandwidth."""
        return self.tool.endswith("_bw")

    def command(self, side: Side, peer: Side, port: int, serves: bool) -> str:
        """The command line of one of the two sides."""
        words = [
            LINE_BUFFERED,
            self.tool,
            "-d",
            side.device,
            "-p",
            str(port),
            "-n",
            str(self.iterations),
        ]
        if self.is_pingpong:
            words += [*side.gid_option("-g", peer), "-s", str(self.size)]
        else:
            words += [*side.gid_option("-x", peer), "-F"]
            # Atomic operations have one size.
            if not self.tool.startswith("ib_atomic"):
                words += ["-s", str(self.size)]
            if self.is_bandwidth:
                words += ["--report_gbits"]
        words += self.options
        if not serves:
            words.append(peer.ip)
        return " ".join(words)


@dataclass
class Measurement:
    """The result of one exchange. `error` is empty when it succeeded."""

    exchange: Exchange
    source: str
    target: str
    latency_us: float | None = None
    mbit_per_s: float | None = None
    error: str = ""
    remarks: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the exchange succeeded."""
        return not self.error

    def as_json(self) -> dict[str, object]:
        """The result as an object of scripts/demo --json."""
        return {
            "test": self.exchange.title,
            "from": self.source,
            "to": self.target,
            "bytes": self.exchange.size,
            "latency_us": self.latency_us,
            "mbit_per_s": self.mbit_per_s,
            "ok": self.ok,
        }


def _number(text: str) -> float | None:
    value = float(text)
    return round(value, 3) if math.isfinite(value) and value > 0 else None


def _parse_pingpong(output: str, result: Measurement) -> None:
    rate = re.search(r"= ([0-9.]+|inf|nan) Mbit/sec", output)
    # One iteration goes there and back.
    time = re.search(r"= ([0-9.]+|inf|nan) usec/iter", output)
    result.mbit_per_s = _number(rate.group(1)) if rate else None
    result.latency_us = _number(str(float(time.group(1)) / 2)) if time else None


def _parse_perftest(output: str, result: Measurement) -> None:
    rows = re.findall(r"^ *(\d+) +(\d+) +(\S.*)$", output, re.MULTILINE)
    if not rows:
        return
    columns = rows[-1][2].split()
    if result.exchange.is_bandwidth:
        # The columns are: peak, average, message rate.
        gbit = _number(columns[1])
        result.mbit_per_s = round(gbit * 1000, 3) if gbit is not None else None
    elif len(columns) >= 4:
        # The columns are: minimum, maximum, typical, average, and more.
        result.latency_us = _number(columns[3])


def read_figures(output: str, result: Measurement) -> bool:
    """Takes the figures from a program's output; whether all that belong to it were there."""
    if result.exchange.is_pingpong:
        _parse_pingpong(output, result)
        return result.mbit_per_s is not None and result.latency_us is not None
    _parse_perftest(output, result)
    return (result.mbit_per_s if result.exchange.is_bandwidth else result.latency_us) is not None


def wait_listening(side: Side, port: int, server: Job, timeout: float = 30) -> None:
    """Waits until a program listens on the TCP port, or has ended, as it should not have."""
    listening = f":{port:04X} [0-9a-f:]* 0A "
    waiting = side.start(
        f"until grep -qi '{listening}' /proc/net/tcp /proc/net/tcp6; do sleep 0.01; done"
    )
    if not waiting.wait_or(server, timeout):
        waiting.kill()


def start_exchange(
    server: Side,
    client: Side,
    exchange: Pair,
    wait: Callable[[Side, int, Job], None] = wait_listening,
) -> tuple[Job, Job]:
    """Starts both sides of an exchange, the client once the server listens."""
    port = next(_ports)
    server_job = server.start(exchange.command(server, client, port, serves=True))
    wait(server, port, server_job)
    return server_job, client.start(exchange.command(client, server, port, serves=False))


def _tail(output: str) -> str:
    return "\n".join("      " + line for line in output.strip().splitlines()[-12:])


def run_once(server: Side, client: Side, exchange: Exchange, timeout: float) -> Measurement:
    """Runs an exchange once."""
    result = Measurement(exchange, client.name, server.name)
    try:
        server_job, client_job = start_exchange(server, client, exchange)
        outcome = client_job.wait(timeout)
        # The server ends by itself unless the client failed.
        served = server_job.wait(timeout) if outcome.ok else server_job.kill()
    except LabError as error:
        result.error = str(error)
        return result
    for who, side, ended in (("client", client, outcome), ("server", server, served)):
        if not ended.ok and not result.error:
            result.error = (
                f"{exchange.title}, {exchange.size} bytes, {client.name} to {server.name}: "
                f"the {who} "
                f"({side.name}) ended with status {ended.status}:\n{_tail(ended.output)}"
            )
    if result.ok and not read_figures(outcome.output, result):
        result.error = (
            f"{exchange.title}, {exchange.size} bytes, {client.name} to {server.name}: "
            f"no usable figures:\n{_tail(outcome.output)}"
        )
        result.remarks.append("no usable figures")
    return result


def run(
    server: Side,
    client: Side,
    exchange: Exchange,
    timeout: float = 60,
    say: Callable[[str], None] = lambda text: None,
) -> Measurement:
    """Runs an exchange.

    perftest now and then prints inf or 0 under TCG. Such a run is repeated, and `say` is told.
    """
    for attempt in (1, 2, 3):
        result = run_once(server, client, exchange, timeout)
        if not result.remarks or attempt == 3:
            break
        say(f"repeated: {exchange.title} printed no usable figures")
    return result
