# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Eight guests on one daemon, and the end of one of them in mid-transfer."""

from __future__ import annotations

import itertools
from typing import Any

from support_py.e2e import LONG, PATIENCE, LabTest, main
from vrdma_lab.programs.endless import EndlessTransfer
from vrdma_lab.programs.traffic import Exchange
from vrdma_lab.vm.guest import GuestOptions

COUNT = 8
OPTIONS = GuestOptions(memory_mib=192)


class EightGuests(LabTest):
    guest_count = COUNT

    @classmethod
    def boot(cls) -> None:
        # Guests boot in pairs: two processors boot no more than two at a time.
        for first in range(1, COUNT, 2):
            cls.lab.boot((first, first + 1), OPTIONS)

    def test_1_all_reach_each_other(self) -> None:
        # A ping-pong carries data both ways. In the short form each guest reaches two others.
        guests = self.lab.guests
        ring = zip(guests, [*guests[1:], guests[0]])
        for server, client in itertools.combinations(guests, 2) if LONG else ring:
            self.exchange(server, client, Exchange("ibv_rc_pingpong", 1024, 20, ("-c", "-e")))

    def test_2_one_is_killed_in_mid_transfer(self) -> None:
        survivors, (bystander_a, bystander_b, peer, victim) = (
            self.lab.guests[:7],
            self.lab.guests[4:8],
        )

        def held(status: dict[str, Any]) -> dict[str, Any]:
            return {key: count for key, count in status["rnic_objects"].items() if key != "ports"}

        before = held(self.lab.daemon.status())
        # Idle guests hold the objects that their kernels need for QP 1, each the same number.
        kernel = {key: count // COUNT for key, count in before.items()}

        def without_victim(counts: dict[str, Any]) -> dict[str, Any]:
            return {key: count - kernel[key] for key, count in counts.items()}

        bystanders = EndlessTransfer(bystander_b, bystander_a)
        bystanders.wait_rows(1, PATIENCE)
        with_bystanders = held(self.lab.daemon.status())
        transfer = EndlessTransfer(victim, peer)
        transfer.wait_rows(1, PATIENCE)
        seen = bystanders.rows

        victim.kill()

        with self.subTest("the peer's queue pair ends with the transport's retry error"):
            outcome = transfer.client.wait(PATIENCE)
            self.assertNotEqual(outcome.status, 0)
            # IBV_WC_RETRY_EXC_ERR
            self.assertRegex(outcome.output, r"Failed status 12\b")
        with self.subTest("the others' transfer goes on"):
            bystanders.wait_rows(seen + 3, PATIENCE)
        with self.subTest("what the victim held is free"):
            left = without_victim(with_bystanders)
            self.lab.daemon.wait_status(
                lambda status: held(status) == left, f"the RNIC holds {left}"
            )
        bystanders.stop()
        with self.subTest("nothing is left when the others have ended"):
            left = without_victim(before)
            self.lab.daemon.wait_status(
                lambda status: held(status) == left, f"the RNIC holds {left}"
            )
        with self.subTest("the peer can be used again"):
            self.exchange(peer, survivors[0])

    def test_3_the_killed_guest_comes_back(self) -> None:
        self.lab.guests[7].kill()
        again = self.lab.launch(8, OPTIONS, log_suffix="-again")
        again.wait_booted()
        self.exchange(again, self.lab.guests[0])


if __name__ == "__main__":
    main()
