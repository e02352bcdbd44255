# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""perftest's programs over all their transports, in all their ways of running, up to 8 MiB."""

from __future__ import annotations

from support_py import perftest as perftest_test
from support_py.e2e import LabTest, long_form_only, main
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.perftest import LARGEST_DATAGRAM, TRANSPORTS, Run, every_way
from vrdma_lab.test_form import is_long
from vrdma_lab.vm.guest import Guest

ITERATIONS = 5
# A message of another size takes another way only where it is in several turns of a worker, which
# is so with each verb of one transport.
SWEEPS = ("lat", "bw") if is_long() else ()


class Perftest(LabTest, perftest_test.PerftestTest):
    def all_that(self, server: Side, client: Side, what: str, verb: str) -> None:
        for run in every_way(ITERATIONS, sweeps=SWEEPS):
            if (run.what, run.verb) == (what, verb):
                self.perftest(server, client, run)

    def between_guests(self, what: str, verb: str) -> None:
        b, a = self.pair()
        self.all_that(b, a, what, verb)

    def pair(self) -> tuple[Guest, Guest]:
        return self.lab.guests[1], self.lab.guests[0]

    def test_latency_of_send(self) -> None:
        self.between_guests("lat", "send")

    def test_latency_of_write(self) -> None:
        self.between_guests("lat", "write")

    def test_latency_of_read(self) -> None:
        self.between_guests("lat", "read")

    def test_latency_of_atomic_operations(self) -> None:
        self.between_guests("lat", "atomic")

    def test_bandwidth_of_send(self) -> None:
        self.between_guests("bw", "send")

    def test_bandwidth_of_write(self) -> None:
        self.between_guests("bw", "write")

    def test_bandwidth_of_read(self) -> None:
        self.between_guests("bw", "read")

    def test_bandwidth_of_atomic_operations(self) -> None:
        self.between_guests("bw", "atomic")

    def test_all_sizes(self) -> None:
        for verb in ("send", "write", "read"):
            self.perftest(*self.pair(), Run(verb, "bw", "RC", ITERATIONS))

    def test_more_messages_than_queues_have_room_for(self) -> None:
        for verb, transports in TRANSPORTS.items():
            for transport in transports:
                size = LARGEST_DATAGRAM if transport == "UD" else 4096
                self.perftest(*self.pair(), Run(verb, "bw", transport, 500, size))

    # Both programs share one processor, on which pollers take turns by time slices.  The program
    # pingpong.py has this in the short form.
    @long_form_only
    def test_a_guest_with_itself(self) -> None:
        for guest in self.lab.guests:
            for run in every_way(ITERATIONS):
                if (
                    run.events
                    and run.pairs == 1
                    or run.verb == "write"
                    and run.both_ways
                    and run.pairs == 1
                ):
                    self.perftest(guest, guest, run)


if __name__ == "__main__":
    main()
