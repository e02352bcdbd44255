# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests' devices go under their users: vrdma is unloaded, and the RNIC removed from the host."""

from __future__ import annotations

from support_py import consumers as consumers_test
from support_py.suite import PATIENCE, GuestsTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.programs.stream import Stream
from vrdma_lab.vm.guest import Guest


class Removal(GuestsTest, consumers_test.ConsumersTest):
    """Guests with the kernel's consumers of RDMA; nothing follows the RNIC's removal."""

    modules = consumers_test.CONSUMERS

    def consumers_guests(self) -> list[Guest]:
        return [self.a]

    def traffic(self) -> None:
        self.exchange(self.b, self.a)
        self.exchange(self.host.native, self.a)

    def test_without_the_rnic_guests_get_a_fatal_event_and_the_removal_completes(self) -> None:
        streams = [Stream(self.b, self.a, events=True), Stream(self.a, self.b)]
        for stream in streams:
            stream.wait_flowing(PATIENCE)
        events = self.a.start(f"exec env {LINE_BUFFERED} ibv_asyncwatch -d vrdma0")
        events.wait_for("async event FD")

        # The removal waits until nobody has the RNIC open any more.
        removal = self.host.native.start(f"rdma link delete {self.host.device}")

        with self.subTest("the removal completes"):
            self.assertTrue(removal.wait(PATIENCE).ok, removal.output)
        with self.subTest("the guests learn of it"):
            events.wait_for("DEVICE_FATAL", PATIENCE)
        for stream in streams:
            with self.subTest("a program in mid-transfer gets an error"):
                self.assertNotEqual(stream.end(PATIENCE).status, 0)
                stream.server.kill()
        with self.subTest("nothing is left of what the guests had"):
            self.host.daemon.wait_status(
                lambda status: not any(
                    count for vm in status["vms"] for count in vm["objects"].values()
                ),
                "the daemon holds nothing for its guests",
                PATIENCE,
            )
        with self.subTest("the log says so"):
            self.assertIn(self.host.device, self.host.daemon.log())
        events.kill()
        for guest in (self.a, self.b):
            with self.subTest("the guest lives", guest=guest.name):
                self.assertEqual(guest.complaints(), "")
                self.assertFalse(guest.run("ibv_rc_pingpong -d vrdma0 -g 0", PATIENCE).ok)
        with self.subTest("the host's kernel complains of nothing"):
            self.assertEqual(self.host.native.complaints(), "")


if __name__ == "__main__":
    main()
