# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests and vrdmad are killed in mid-transfer.

The host's kernel gets everything back, and nobody waits for ever.
"""

from __future__ import annotations

from typing import NamedTuple

from support_py.suite import PATIENCE, GuestsTest, main
from vrdma_lab.host.counters import Counts, rdma_resources, wait_resources
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.stream import Stream


class Listening(NamedTuple):
    """Programs of a guest that wait for connections."""

    edges: Job
    rping: Job


class Kill(GuestsTest):
    unused: Counts
    with_a: Counts

    @classmethod
    def prepare(cls) -> None:
        cls.unused = rdma_resources(cls.host.device)
        cls.host.serve((1, 2))
        cls.host.boot([1])
        cls.with_a = rdma_resources(cls.host.device)
        cls.host.boot([2])

    def wait_for(self, counts: Counts) -> None:
        wait_resources(
            self.host.device, lambda now: now == counts, f"the RNIC has {counts}", PATIENCE
        )

    def stream(self, server: Side, client: Side, events: bool = False) -> Stream:
        """A stream that flows."""
        stream = Stream(server, client, events)
        stream.wait_flowing(PATIENCE)
        return stream

    def assert_lives(self, guest: Side) -> None:
        self.assertEqual(guest.must("echo alive").strip(), "alive")
        self.assertEqual(guest.complaints(), "")

    def test_1_a_program_that_is_killed_leaves_nothing(self) -> None:
        idle = rdma_resources(self.host.device)
        stream = self.stream(self.b, self.a)
        self.assertNotEqual(rdma_resources(self.host.device), idle)
        stream.stop()
        self.wait_for(idle)

    def test_2_a_guest_that_is_killed_leaves_nothing(self) -> None:
        streams = [self.stream(self.b, self.a), self.stream(self.b, self.host.native)]
        self.b.kill()
        for stream in streams:
            with self.subTest("the peer gets the transport's retry error"):
                # IBV_WC_RETRY_EXC_ERR
                self.assertIn("completion status 12 ", stream.end(PATIENCE).output)
        with self.subTest("the RNIC has what it had before the guest"):
            self.wait_for(self.with_a)
        self.host.guests[1] = self.host.launch(2, log_suffix="-again")
        del self.host.guests[2]
        self.b.wait_booted()
        with self.subTest("the peer can be used again, and the guest's successor"):
            self.exchange(self.b, self.a)

    def listening(self) -> Listening | None:
        """Programs that wait for connections; none on InfiniBand, where guests have none."""
        if self.host.kind.infiniband:
            return None
        edges = self.a.start(f"rdma_cm_edges removal {self.a.ip}")
        edges.wait_for("listens", PATIENCE)
        rping = self.a.start(f"{LINE_BUFFERED} rping -s -p 20999 -d")
        rping.wait_for("rdma_listen", PATIENCE)
        return Listening(edges, rping)

    def test_3_a_daemon_that_is_killed_leaves_nothing(self) -> None:
        streams = {
            "that waits for a completion of another guest's": self.stream(
                self.b, self.a, events=True
            ),
            "that polls for one of the host's": self.stream(self.host.native, self.a),
            "that is on the host and writes to a guest": self.stream(self.b, self.host.native),
        }
        listening = self.listening()
        self.host.daemon.child.kill()
        for guest in (self.a, self.b):
            with self.subTest("the guest and its QEMU live", guest=guest.name):
                self.assert_lives(guest)
                self.assertTrue(guest.qemu.running)
        for what, stream in streams.items():
            with self.subTest(f"a program {what} gets an error"):
                self.assertNotEqual(stream.end(PATIENCE).status, 0)
                stream.server.kill()
        with self.subTest("a program that starts now gets an error"):
            self.assertFalse(self.b.run("ibv_rc_pingpong -d vrdma0 -g 0", PATIENCE).ok)
            self.assertFalse(self.a.run("rping -s -p 20998", PATIENCE).ok)
        if listening:
            with self.subTest("a program that waits for a connection is told and can end"):
                self.assertFalse(listening.rping.wait(PATIENCE).ok)
        with self.subTest("the RNIC has what it had before"):
            self.wait_for(self.unused)
        with self.subTest("the RNIC works"):
            self.exchange(self.host.native, self.host.native)
            self.assertEqual(self.host.native.complaints(), "")
        if listening:
            with self.subTest("an id of rdma_cm gets the event of an adapter's removal"):
                listening.edges.wait_for("destroyed", PATIENCE)
                self.assertIn(
                    "event 11 of id 1\nready for more: 0\nLISTEN again: Input/output error\n",
                    listening.edges.output,
                )
        self.host.daemon.start_again()
        if listening:
            with self.subTest("its file serves the device that is back"):
                outcome = listening.edges.wait(PATIENCE)
                self.assertTrue(outcome.ok, outcome.output)
                self.assertIn("listens again", outcome.output)
        for guest in (self.a, self.b):
            guest.wait_device()
        self.exchange(self.b, self.a)


if __name__ == "__main__":
    main()
