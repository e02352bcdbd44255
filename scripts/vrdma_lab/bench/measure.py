# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Takes figures natively and in one guest, by turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vrdma_lab.bench import cases
from vrdma_lab.bench import programs
from vrdma_lab.bench.cases import ControlCase, LatencyCase
from vrdma_lab.bench.figures import Figure
from vrdma_lab.bench.tables import shown, shown_bytes
from vrdma_lab.host.counters import exits
from vrdma_lab.host.exit_reasons import ExitReasons
from vrdma_lab.host.rdma_host import RdmaHost
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.traffic import Exchange
from vrdma_lab.vm.guest import Guest

Say = Callable[[str], None]


class Measurements:
    """The figures of one guest, which has one daemon, beside those of the host.

    With a `processor`, which is the guest's then, native programs that send messages run on that
    processor as well.
    """

    def __init__(
        self, host: RdmaHost, guest: Guest, rounds: int, say: Say, processor: int | None = None
    ) -> None:
        self.host = host
        self._guest = guest
        self._rounds = rounds
        self._say = say
        self._processor = processor
        self._figures: dict[tuple[str, str, int], Figure] = {}

    @property
    def figures(self) -> list[Figure]:
        """All figures that were taken."""
        return list(self._figures.values())

    def parts(self, group: str, tests: Iterable[str]) -> None:
        """Measures the parts of a request to the host."""
        figures: dict[str, Figure] = {}
        for side in self._by_turns():
            for test, value in programs.exit_times(side, tests, self._processor_of(side)).items():
                figures[test] = self._figure(group, cases.PARTS[test], 0, "us")
                figures[test].add(side.native, value)
        for figure in figures.values():
            self._tell(figure)

    def latency(self, group: str, case: LatencyCase) -> None:
        """Measures one kind of message."""
        bar = case.bar(self.host.kind.rings_itself)
        figure = self._figure(group, case.name, case.bytes, "us", bar)
        for side in self._by_turns():
            counts: list[int] = []
            value = programs.latency(
                side, case.options, lambda _: self._count(counts), self._processor_of(side)
            )
            figure.add(side.native, value)
            if not side.native:
                figure.exits_per_message.append((counts[1] - counts[0]) / case.iterations)
        accesses = self._device_accesses(
            lambda observe: programs.latency(self._guest, case.options, observe)
        )
        figure.device_accesses = accesses / case.iterations
        self._tell(figure)

    def _device_accesses(self, measure: Callable[[programs.Observe], object]) -> int:
        """How often the guest reaches a device, in a run of its own: counting takes time."""
        counts: list[int] = []
        with ExitReasons() as reasons:
            measure(lambda _: counts.append(reasons.device_accesses(self._guest)))
        return counts[1] - counts[0]

    def bandwidth(self, group: str, exchange: Exchange) -> None:
        """Measures the bandwidth of one of perftest's programs."""
        bar = cases.BANDWIDTH_BARS[self.host.kind.rings_itself]
        figure = self._figure(group, f"RC {exchange.title}", exchange.size, "MB/s", bar)
        for side in self._by_turns():
            figure.add(side.native, programs.bandwidth(side, exchange, self._say))
        self._tell(figure)

    def control(self, group: str, case: ControlCase) -> None:
        """Measures the verbs that make and destroy one kind of object."""
        figures: dict[programs.Key, Figure] = {}
        for side in self._by_turns():
            counts: list[int] = []
            for key, value in programs.control_times(
                side, case.options, lambda _: self._count(counts)
            ).items():
                figures[key] = self._figure(
                    group, cases.verb_name(key[0]), key[1], "us", cases.CONTROL_BAR
                )
                figures[key].add(side.native, value)
                if not side.native and case.verbs:
                    figures[key].exits_per_message.append((counts[1] - counts[0]) / case.verbs)
        if case.verbs:
            accesses = self._device_accesses(
                lambda observe: programs.control_times(self._guest, case.options, observe)
            )
            for figure in figures.values():
                figure.device_accesses = accesses / case.verbs
        for figure in figures.values():
            self._tell(figure)

    def connections(self, group: str, listens: Side | None) -> None:
        """Measures the steps of connections.

        `listens` has the guest's listeners, if the guest's own kernel does not have them.
        """
        figures: dict[str, Figure] = {}
        for side in self._by_turns():
            where = side if side.native else listens or side
            for step, value in programs.connection_times(side, where, cases.CONNECTIONS).items():
                figures[step] = self._figure(group, step, 0, "us")
                figures[step].add(side.native, value)
        for figure in figures.values():
            self._tell(figure)

    def region(self, group: str, pages: str, size: int) -> None:
        """Measures one large region, and counts the mappings that it costs the daemon."""
        figure = self._figure(group, f"REG_MR, {pages} pages", size, "us")
        for side in (self.host.native, self._guest):
            counts: list[int] = []
            result = programs.region(
                side, pages, size, lambda _: counts.append(self._daemon_mappings())
            )
            if result["errno"] == 0:
                figure.add(side.native, result["us"])
            who = (
                "native"
                if side.native
                else f"guest ({counts[1] - counts[0]} mappings of the daemon)"
            )
            said = (
                f"refused, {result['error']}{self._reason(side)}"
                if result["errno"]
                else "registered"
            )
            figure.remarks.append(f"{who}: {result['runs']} runs of pages, {said}")
        self._tell(figure)

    def _reason(self, side: Side) -> str:
        """The last line of the daemon's log, if it was the daemon that refused."""
        lines = [] if side.native else self.host.daemon.log().splitlines()
        # A line begins with its time and level.
        return f" ({lines[-1].split(maxsplit=2)[-1]})" if lines else ""

    def _count(self, counts: list[int]) -> None:
        counts.append(exits(self._guest))

    def _daemon_mappings(self) -> int:
        pid = self.host.daemon.child.process.pid
        return len(Path(f"/proc/{pid}/maps").read_text().splitlines())

    def _by_turns(self) -> Iterable[Side]:
        """Native and guest in each round, in the opposite order in every second round."""
        sides: list[Side] = [self.host.native, self._guest]
        for number in range(self._rounds):
            yield from sides if number % 2 == 0 else reversed(sides)

    def _processor_of(self, side: Side) -> int | None:
        return self._processor if side.native else None

    def _figure(self, group: str, test: str, size: int, unit: str, wanted: str = "") -> Figure:
        return self._figures.setdefault(
            (group, test, size), Figure(group, test, size, unit, wanted)
        )

    def _tell(self, figure: Figure) -> None:
        row = figure.as_json()
        name = f"{figure.test} {shown_bytes(figure.bytes)}".strip()
        text = f"{name}: native {shown(row['native'])}, guest {shown(row['guest'])} {figure.unit}"
        text += f", ratio {shown(row['ratio'])} ({shown(row['ratio_range'])})"
        if figure.exits is not None:
            text += f", {figure.exits:.3f} exits each"
        if figure.device_accesses is not None:
            text += f", {figure.device_accesses:.3f} of them to a device"
        self._say("; ".join([text, *figure.remarks]))
