# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""RDS by the guests' kernels.

Messages of its sockets travel by RDMA, with two threads of the daemon between them.
"""

from __future__ import annotations

from support_py.e2e import PATIENCE, LabTest, main
from support_py.guest_program import send_program
from vrdma_lab.vm.guest import Guest

PROGRAM = "rds_messages"


class Rds(LabTest):
    modules = ("rds_rdma",)
    daemon_options = ("--threads", "2")

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for guest in cls.lab.guests:
            guest.wait_device()
            guest.must("modprobe rds_rdma")
            send_program(guest, PROGRAM)

    def send(self, sender: Guest, receiver: Guest, count: int, size: int) -> None:
        job = receiver.start(f"/tmp/{PROGRAM} {receiver.ip} {count} {size}")
        job.wait_for("ready")
        sender.must(f"/tmp/{PROGRAM} {sender.ip} {count} {size} {receiver.ip}", PATIENCE)
        outcome = job.wait(PATIENCE)
        self.assertTrue(outcome.ok, outcome.output)
        self.assertIn(f"received {count}", outcome.output)

    def test_messages_of_one_fragment(self) -> None:
        a, b = self.lab.guests
        self.send(a, b, 200, 1000)
        self.send(b, a, 200, 1000)

    def test_messages_of_many_fragments(self) -> None:
        a, b = self.lab.guests
        self.send(a, b, 20, 100_000)

    def test_the_daemon_starts_again_and_the_sockets_carry_on(self) -> None:
        a, b = self.lab.guests
        self.send(a, b, 20, 1000)
        self.lab.daemon.child.kill()
        for guest in (a, b):
            guest.wait_registered(PATIENCE, False)
        self.lab.daemon.start_again()
        for guest in (a, b):
            guest.wait_registered(PATIENCE)
            guest.wait_device()
        # The kernel's RDS connects again by itself, and delivers what was sent meanwhile.
        self.send(a, b, 20, 1000)
        self.send(b, a, 20, 1000)

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
