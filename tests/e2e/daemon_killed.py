# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The daemon dies under its guests."""

from __future__ import annotations

import signal

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED


class DaemonKilled(LabTest):
    def test_the_guests_live_and_their_programs_see_errors(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        waiting = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0 -g {a.gid_index()}")
        waiting.wait_for("local address")

        self.lab.daemon.child.process.kill()
        self.lab.daemon.child.process.wait()

        for guest in (a, b):
            with self.subTest("the guest lives", guest=guest.name):
                self.assertEqual(guest.must("echo alive").strip(), "alive")
                self.assertTrue(guest.qemu.running)
                self.assertNotIn("BUG:", guest.must("dmesg"))
        with self.subTest("a program that starts now gets an error"):
            outcome = b.run("ibv_rc_pingpong -d vrdma0 -g 0", PATIENCE)
            self.assertFalse(outcome.ok, outcome.output)
        with self.subTest("a program that holds the device can be ended"):
            waiting.signal(signal.SIGTERM)
            waiting.wait(PATIENCE)
        with self.subTest("the driver can be removed"):
            b.must("rmmod vrdma", PATIENCE)


if __name__ == "__main__":
    main()
