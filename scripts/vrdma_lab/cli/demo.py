# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/demo: RDMA programs between guests on this machine."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.cli import command
from vrdma_lab.cli.command import Parser
from vrdma_lab.lab.lab import MAX_GUESTS, Lab
from vrdma_lab.programs import traffic
from vrdma_lab.programs.traffic import Exchange, Measurement
from vrdma_lab.setup.build import build_backend, build_qemu_device
from vrdma_lab.setup.installed import prepare_installed
from vrdma_lab.setup.kernel import prepare_kernel
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.runner import Steps
from vrdma_lab.vm.guest import Guest

HELP = """\
usage: scripts/demo [--kernel 6.1|6.12 | --installed] [--guests N] [--json FILE]

Installs what is missing (apt, as root or with sudo), builds everything, boots
virtual machines with a vrdma device and runs Debian's RDMA programs between
them.  Ends with a table: what ran, between which guests, message size,
latency, bandwidth.  Leaves nothing running.

  --kernel 6.1|6.12   the guests' kernel (6.1)
  --installed         build nothing: take vrdmad, QEMU with the device and the driver
                      as this machine's packages vrdma, qemu-vrdma and vrdma-dkms
                      have installed them, and the newest kernel that DKMS has built
                      the driver for
  --guests N          how many guests, 2 to 8 (2)
  --json FILE         the same figures as a JSON array of objects with the keys
                      test, from, to, bytes, latency_us, mbit_per_s, ok
  --help              this text

The status is 0 if everything that ran succeeded, 1 if something failed and 2
for a mistake in the options.
"""

_PINGPONG = ("rc", "uc", "ud", "srq")


@dataclass(frozen=True)
class Options:
    """The user's choices."""

    kernel: str = "6.1"  # or paths.INSTALLED_KERNEL
    guests: int = 2
    json: Path | None = None


def parse(words: Sequence[str]) -> Options:
    """The options in the words of the command line."""
    parser = Parser(HELP)
    kernels = parser.add_mutually_exclusive_group()
    kernels.add_argument("--kernel", type=command.kernel, default="6.1")
    kernels.add_argument("--installed", action="store_const", dest="kernel",
                         const=paths.INSTALLED_KERNEL)
    parser.add_argument("--guests", type=_guests, default=2)
    parser.add_argument("--json", type=command.output_file)
    found = parser.parse(words)
    return Options(found.kernel, found.guests, found.json)


def _guests(text: str) -> int:
    if text not in map(str, range(2, MAX_GUESTS + 1)):
        raise argparse.ArgumentTypeError(f"--guests takes 2 to {MAX_GUESTS}, not '{text}'")
    return int(text)


def between_guests() -> list[Exchange]:
    """The exchanges from one guest to another."""
    exchanges = [Exchange(f"ibv_{kind}_pingpong", 1024, 300, ("-c",)) for kind in _PINGPONG]
    exchanges += [Exchange("ibv_rc_pingpong", 1024, 300, ("-c", "-e"))]
    exchanges += [
        Exchange(f"ib_{verb}_lat", size, 300)
        for verb in ("send", "write", "read")
        for size in (2, 4096)
    ]
    exchanges += [Exchange("ib_atomic_lat", 8, 300)]
    for verb in ("send", "write", "read"):
        exchanges += [
            Exchange(f"ib_{verb}_bw", size, count)
            for size, count in ((4096, 1000), (65536, 500), (1 << 20, 100))
        ]
    return exchanges


def with_itself() -> list[Exchange]:
    """The exchanges from a guest to itself.

    The two programs share one processor, so that a program which polls waits for its time slice.
    """
    exchanges = [Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e")) for kind in _PINGPONG]
    exchanges += [Exchange(f"ib_{verb}_lat", 8, 20) for verb in ("send", "write", "read", "atomic")]
    exchanges += [Exchange(f"ib_{verb}_bw", 65536, 200) for verb in ("send", "write", "read")]
    return exchanges


def _plan(guests: list[Guest]) -> list[tuple[Guest, Guest, Exchange]]:
    """Client, server and exchange; every guest but the first talks to the first."""
    first, *others = guests
    plan = [(first, others[0], exchange) for exchange in between_guests()]
    plan += [(first, other, exchange) for other in others[1:] for exchange in between_guests()[::4]]
    plan += [(guest, guest, exchange) for guest in guests[:2] for exchange in with_itself()]
    return plan


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _row(measurement: Measurement) -> tuple[str, ...]:
    return (
        measurement.exchange.title,
        measurement.source,
        measurement.target,
        str(measurement.exchange.size),
        _figure(measurement.latency_us),
        _figure(measurement.mbit_per_s),
        "ok" if measurement.ok else "FAILED",
    )


def _print_table(measurements: list[Measurement]) -> None:
    head = ("test", "from", "to", "bytes", "latency (us)", "bandwidth (Mbit/s)", "")
    rows = [_row(measurement) for measurement in measurements]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(row: tuple[str, ...]) -> str:
        cells = [
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ]
        return "  ".join(cells).rstrip()

    print()
    print(line(head))
    print("  ".join("-" * width for width in widths[:-1]))
    for row in rows:
        print(line(row))


def _measure(guests: list[Guest]) -> list[Measurement]:
    measurements = []
    plan = _plan(guests)
    for number, (client, server, exchange) in enumerate(plan, 1):
        result = traffic.run(
            server, client, exchange, say=lambda text: print(f"        {text}", flush=True)
        )
        measurements.append(result)
        test, source, target, size, latency, bandwidth, verdict = _row(result)
        print(
            f"[{number:2}/{len(plan)}] {test}, {source} to {target}, {size} bytes: "
            f"{latency} us, {bandwidth} Mbit/s, {verdict}",
            flush=True,
        )
    return measurements


def _demo(kernel: str, count: int, report: Path | None) -> bool:
    with Lab(kernel) as lab:
        lab.start_daemon(count)
        print(
            f"Booting {count} guests (Linux {lab.kernel.release}, {lab.accelerator}) ...",
            flush=True,
        )
        guests = lab.boot(range(1, count + 1))
        print(guests[0].must("ls -l /dev/infiniband; ibv_devinfo"), flush=True)
        measurements = _measure(guests)
    _print_table(measurements)
    failed = [measurement for measurement in measurements if not measurement.ok]
    for measurement in failed:
        print(f"\n{measurement.error}", file=sys.stderr)
    print(f"\n{len(measurements) - len(failed)} of {len(measurements)} succeeded.")
    if report is not None:
        report.write_text(
            json.dumps([measurement.as_json() for measurement in measurements], indent=2) + "\n"
        )
    return not failed


def _prepare(kernel: str) -> None:
    steps = Steps(sys.stdout)
    if kernel == paths.INSTALLED_KERNEL:
        install_missing(steps, "installed", "run")
        os.environ.update(prepare_installed(steps))
        return
    install_missing(steps, "build", "run")
    build_backend(steps, "release", "vrdmad")
    build_qemu_device(steps)
    prepare_kernel(steps, kernel)


def _act(words: Sequence[str]) -> int:
    options = parse(words)
    _prepare(options.kernel)
    return 0 if _demo(options.kernel, options.guests, options.json) else command.FAILED


def main() -> int:
    return command.run("demo", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
