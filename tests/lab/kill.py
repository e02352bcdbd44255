# SPDX-License-Identifier: Apache-2.0
"""Guests and vrdmad are killed in mid-transfer: the host's kernel gets everything back, and nobody waits for ever."""

from __future__ import annotations

from support import PATIENCE, GuestsTest, main
from vrdma_lab.counters import Counts, rdma_resources, wait_resources
from vrdma_lab.endless import EndlessTransfer
from vrdma_lab.side import Side


class Kill(GuestsTest):
    unused: Counts

    @classmethod
    def prepare(cls) -> None:
        cls.unused = rdma_resources(cls.host.device)
        super().prepare()

    def wait_for(self, counts: Counts) -> None:
        wait_resources(self.host.device, lambda now: now == counts, f"the RNIC has {counts}", PATIENCE)

    def transfer(self, server: Side, client: Side, events: bool = False) -> EndlessTransfer:
        """A transfer that has begun."""
        transfer = EndlessTransfer(server, client, events)
        transfer.wait_rows(1, PATIENCE)
        return transfer

    def assert_lives(self, guest: Side) -> None:
        self.assertEqual(guest.must("echo alive").strip(), "alive")
        self.assertNotRegex(guest.must("dmesg"), r"BUG:|WARNING:|Oops")

    def test_1_a_program_that_is_killed_leaves_nothing(self) -> None:
        idle = rdma_resources(self.host.device)
        transfer = self.transfer(self.b, self.a)
        self.assertNotEqual(rdma_resources(self.host.device), idle)
        transfer.stop()
        self.wait_for(idle)

    def test_2_a_guest_that_is_killed_leaves_nothing(self) -> None:
        transfer = self.transfer(self.b, self.a)
        self.b.kill()
        with self.subTest("the peer gets the transport's retry error"):
            outcome = transfer.client.wait(PATIENCE)
            # IBV_WC_RETRY_EXC_ERR
            self.assertRegex(outcome.output, r"Failed status 12\b")
        self.host.daemon.wait_status(lambda status: not any(status["vms"][1]["objects"].values()), "nothing of b is left")
        again = self.host.launch(2, log_suffix="-again")
        self.host.guests.remove(again)
        self.host.guests[1] = again
        again.wait_booted()
        with self.subTest("the peer can be used again, and the guest's successor"):
            self.exchange(self.b, self.a)

    def test_3_a_daemon_that_is_killed_leaves_nothing(self) -> None:
        transfers = [self.transfer(self.b, self.a, events=True), self.transfer(self.host.native, self.a, events=True)]
        polling = self.transfer(self.a, self.b)
        self.host.daemon.child.kill()
        for guest in (self.a, self.b):
            with self.subTest("the guest and its QEMU live", guest=guest.name):
                self.assert_lives(guest)
                self.assertTrue(guest.qemu.running)
        for transfer in transfers:
            with self.subTest("a program that waits for a completion gets an error"):
                self.assertNotEqual(transfer.client.wait(PATIENCE).status, 0)
            transfer.server.kill()
        with self.subTest("a program that polls can be ended"):
            polling.stop()
        with self.subTest("a program that starts now gets an error"):
            self.assertFalse(self.b.run("ibv_rc_pingpong -d vrdma0 -g 0", PATIENCE).ok)
        with self.subTest("the RNIC has what it had before"):
            self.wait_for(self.unused)
        with self.subTest("the RNIC works"):
            self.exchange(self.host.native, self.host.native)
            self.assert_lives(self.host.native)


if __name__ == "__main__":
    main()
