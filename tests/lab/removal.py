# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests' devices go under their users: vrdma is unloaded, and the RNIC removed from the host."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from support_py import consumers as consumers_test
from support_py.suite import PATIENCE, GuestsTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.progress import Patience
from vrdma_lab.programs.stream import Stream
from vrdma_lab.vm.guest import Guest

# Programs that ask the device for so much that a command always waits, until the device is gone.
BUSY = "for i in 1 2 3 4 5 6; do while ibv_devinfo -v > /dev/null 2>&1; do :; done & done; wait"


def rnic_users() -> set[int]:
    """The processes that have a file of the host's RNIC, open or mapped."""
    name = "/dev/infiniband/uverbs"
    users = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [str(each.readlink()) for each in (process / "fd").iterdir()]
            if name in (process / "maps").read_text() or any(name in file for file in files):
                users.add(int(process.name))
        except OSError:
            pass  # it has ended
    return users


class Removal(GuestsTest, consumers_test.ConsumersTest):
    """Guests with the kernel's consumers of RDMA; nothing follows the last removal of the RNIC."""

    modules = consumers_test.CONSUMERS

    def consumers_guests(self) -> list[Guest]:
        return [self.a]

    def traffic(self) -> None:
        self.exchange(self.b, self.a)
        self.exchange(self.host.native, self.a)

    def stop_vmm(self, guest: Guest) -> None:
        """Stops QEMU, as its user can."""
        guest.qemu.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.go_on, guest)

    def go_on(self, guest: Guest) -> None:
        guest.qemu.process.send_signal(signal.SIGCONT)

    def test_with_a_vmm_that_is_stopped_and_a_busy_guest_the_removal_completes(self) -> None:
        busy = self.a.start(BUSY)
        self.stop_vmm(self.b)
        removal = self.host.native.start(self.host.network.remove_rnic(self.host.rnic))
        self.assertTrue(removal.wait(PATIENCE).ok, removal.output)
        with self.subTest("the busy guest learns of it"):
            self.assertTrue(busy.wait(PATIENCE).ok)
        self.go_on(self.b)
        # vrdmad is started again when the RNIC is back.
        self.host.daemon.child.stop()
        self.host.add_rnic()
        self.host.daemon.start_again()
        for guest in (self.a, self.b):
            guest.wait_device()
        self.traffic()

    def test_without_the_rnic_guests_get_a_fatal_event_and_the_removal_completes(self) -> None:
        streams = [Stream(self.b, self.a, events=True), Stream(self.a, self.b)]
        for stream in streams:
            stream.wait_flowing(PATIENCE)
        events = self.a.start(f"exec env {LINE_BUFFERED} ibv_asyncwatch -d vrdma0")
        events.wait_for("async event FD")

        # With the rxe and siw of Linux 6.1 and 6.12, the removal waits until nobody has the RNIC
        # open or mapped any more.
        self.stop_vmm(self.b)
        removal = self.host.native.start(self.host.network.remove_rnic(self.host.rnic))

        with self.subTest("a guest learns of it, whatever another one's VMM does"):
            events.wait_for("DEVICE_FATAL", PATIENCE)
        with self.subTest("nobody has the RNIC but the VMM that is stopped"):
            patience = Patience(PATIENCE)
            while not rnic_users() <= {self.b.qemu.process.pid}:
                self.assertFalse(patience.over, f"{rnic_users()}, {patience.why()}")
                time.sleep(0.1)
        self.go_on(self.b)
        with self.subTest("the removal completes"):
            self.assertTrue(removal.wait(PATIENCE).ok, removal.output)
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
