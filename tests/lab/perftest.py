# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""perftest's programs in all their ways of running, among guests and with the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from support_py import perftest as perftest_test
from support_py.suite import GuestsTest, long_form_only, main
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.perftest import Run, connected_ways, every_way
from vrdma_lab.test_form import is_long

ITERATIONS = 5
# What grows with a message is the region, which is one code for all programs; the data are rxe's.
SWEEPS = ("bw",) if is_long() else ()


class Perftest(GuestsTest, perftest_test.PerftestTest):
    def possible(self, runs: Iterable[Run]) -> list[Run]:
        """The runs that the guests' own addresses allow."""
        datagrams = not self.host.kind.writes_paths
        return [run for run in runs if datagrams or run.transport != "UD"]

    # Two programs that poll on one processor take turns by time slices. Programs that measure
    # latency do so at each message.
    def programs(self, server: Side, client: Side, verb: str) -> None:
        for run in self.possible(every_way(ITERATIONS, sweeps=SWEEPS)):
            if run.verb == verb:
                self.perftest(server, client, run)

    def some_of_each_program(self, server: Side, client: Side) -> None:
        """The runs that differ if the host is at one end, whose RNIC is the same."""
        for run in self.possible(every_way(ITERATIONS, sweeps=())):
            if run.pairs == 1 and (run.events or run.verb == "write"):
                self.perftest(server, client, run)

    # The host's kernel makes the guests' connections.
    def listens(self, server: Side) -> Side:
        return self.host.native

    def test_by_the_connection_manager_from_guest_to_guest(self) -> None:
        for run in self.possible(connected_ways(ITERATIONS)):
            # Headers name the underlay, where only announced addresses are known
            # (docs/architecture/addressing.md).
            self.perftest(self.b, self.a, replace(run, announced=run.answers_headers))

    # There is no test from the host to a guest: its client does not wait for the server's second
    # listener, and is always the faster.
    @long_form_only
    def test_by_the_connection_manager_from_a_guest_to_the_host(self) -> None:
        for run in self.possible(connected_ways(ITERATIONS)):
            if run.what == "bw" and run.pairs == 1 and not run.both_ways:
                self.perftest(self.host.native, self.a, run)

    def test_all_sizes_from_guest_to_guest(self) -> None:
        self.perftest(self.b, self.a, Run("write", "bw", "RC", ITERATIONS))

    def test_send_from_guest_to_guest(self) -> None:
        self.programs(self.b, self.a, "send")

    def test_write_from_guest_to_guest(self) -> None:
        self.programs(self.b, self.a, "write")

    def test_read_from_guest_to_guest(self) -> None:
        self.programs(self.b, self.a, "read")

    def test_atomic_operations_from_guest_to_guest(self) -> None:
        self.programs(self.b, self.a, "atomic")

    @long_form_only
    def test_from_a_guest_to_the_host(self) -> None:
        self.some_of_each_program(self.host.native, self.a)

    @long_form_only
    def test_from_the_host_to_a_guest(self) -> None:
        self.some_of_each_program(self.a, self.host.native)

    @classmethod
    def tearDownClass(cls) -> None:
        for side in (*cls.host.guests, cls.host.native):
            assert side.complaints() == "", side.complaints()


if __name__ == "__main__":
    main()
