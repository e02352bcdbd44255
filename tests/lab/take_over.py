# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""One vrdmad takes the guests of another over, again and again, and no program notices."""

from __future__ import annotations

from collections.abc import Mapping

from support_py.suite import PATIENCE, GuestsTest, main, record
from support_py.unnoticed import TIMES, UnnoticedTest
from vrdma_lab.host.counters import rdma_resources, wait_resources
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.medley import Medley
from vrdma_lab.programs.stream import Stream
from vrdma_lab.test_form import is_long


class TakeOver(GuestsTest, UnnoticedTest):
    def medley(self, server: Side, client: Side) -> Medley:
        return Medley(server, client, datagrams=not self.host.kind.writes_paths)

    def medleys(self) -> Mapping[str, Medley]:
        """Those of the long form: two of some thirty take-overs have stopped one of them."""
        if not is_long():
            return {}
        return {
            "of all operations from guest to guest": self.medley(self.b, self.a),
            "of all operations from the host to a guest": self.medley(self.a, self.host.native),
        }

    def test_1_transfers_and_verbs_go_on(self) -> None:
        idle = rdma_resources(self.host.device)
        longest = self.take_over_unnoticed(
            self.host.daemon,
            {
                "from guest to guest that waits for events": Stream(self.b, self.a, events=True),
                "from guest to guest that polls": Stream(self.a, self.b),
                "from the host to a guest": Stream(self.b, self.host.native),
                "from a guest to the host": Stream(self.host.native, self.a),
                **self.medleys(),
            },
            churning=self.b,
        )
        record(
            what="verbs stood still while vrdmad was taken over", times=TIMES, longest_ms=longest
        )
        with self.subTest("the RNIC has what it had before"):
            wait_resources(self.host.device, lambda now: now == idle, str(idle), PATIENCE)
        for side in (self.a, self.b, self.host.native):
            with self.subTest("the kernel has nothing to say", of=side.name):
                self.assertEqual(side.complaints(), "")

    def test_2_programs_that_begin_afterwards_work(self) -> None:
        self.host.daemon.be_taken_over()
        self.exchange(self.b, self.a)
        self.exchange(self.host.native, self.a)

    def test_3_what_the_predecessor_made_can_be_killed(self) -> None:
        idle = rdma_resources(self.host.device)
        stream = Stream(self.b, self.a)
        stream.wait_flowing(PATIENCE)
        self.host.daemon.be_taken_over()
        stream.wait_flowing(PATIENCE)
        stream.stop()
        wait_resources(self.host.device, lambda now: now == idle, str(idle), PATIENCE)


if __name__ == "__main__":
    main()
