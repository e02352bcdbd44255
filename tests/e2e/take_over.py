# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""One vrdmad with the embedded RNIC takes the guests of another over, and no program notices."""

from __future__ import annotations

from support_py.e2e import LabTest, main
from support_py.unnoticed import UnnoticedTest
from vrdma_lab.programs.flow import Flow
from vrdma_lab.programs.medley import Medley
from vrdma_lab.programs.stream import Stream
from vrdma_lab.test_form import is_long


class TakeOver(LabTest, UnnoticedTest):
    def test_1_transfers_and_verbs_go_on(self) -> None:
        a, b = self.lab.guests
        for guest in (a, b):
            guest.wait_device()
        streams: dict[str, Flow] = {
            "that waits for events": Stream(b, a, events=True),
            "that polls": Stream(a, b),
        }
        if is_long():
            streams["of all operations"] = Medley(b, a)
        self.take_over_unnoticed(self.lab.daemon, streams, churning=b)
        for guest in (a, b):
            with self.subTest("the guest's kernel has nothing to say", guest=guest.name):
                self.assertEqual(guest.complaints(), "")

    def test_2_programs_that_begin_afterwards_work(self) -> None:
        a, b = self.lab.guests
        self.lab.daemon.be_taken_over()
        self.exchange(b, a)
        self.exchange(a, b)


if __name__ == "__main__":
    main()
