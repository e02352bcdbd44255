# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The daemon dies under its guests, and comes back."""

from __future__ import annotations

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job

GONE = "until ! [ -e /sys/class/infiniband/vrdma0 ]; do usleep 50000; done"
BACK = "until [ -e /sys/class/infiniband/vrdma0 ]; do usleep 50000; done"


class DaemonKilled(LabTest):
    def waiting_programs(self) -> list[Job]:
        """Two programs that sleep until completions come, of each other's messages."""
        a, b = self.lab.guests
        command = f"{LINE_BUFFERED} ibv_rc_pingpong -n 100000000 -e -d vrdma0 -g "
        server = a.start(f"{command} {a.gid_index()}")
        server.wait_for("local address", PATIENCE)
        client = b.start(f"{command} {b.gid_index()} {a.ip}")
        client.wait_for("remote address", PATIENCE)
        return [server, client]

    def kill_daemon(self) -> None:
        self.lab.daemon.child.kill()
        for guest in self.lab.guests:
            guest.must(GONE, PATIENCE)

    def assert_works(self) -> None:
        for guest in self.lab.guests:
            guest.must(BACK, PATIENCE)
            guest.wait_device()
        self.exchange(self.lab.guests[1], self.lab.guests[0])

    def test_1_its_users_end_and_the_device_comes_back_with_the_daemon(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        for _ in range(2):
            programs = self.waiting_programs()
            self.kill_daemon()
            for program in programs:
                program.wait(PATIENCE)
            self.assertFalse(b.run("ibv_rc_pingpong -d vrdma0 -g 0", PATIENCE).ok)
            self.lab.daemon.start_again()
            self.assert_works()

    def test_2_the_daemon_dies_again_while_the_device_starts(self) -> None:
        for _ in range(3):
            self.lab.daemon.child.kill()
            self.lab.daemon.start_again()
        self.assert_works()

    def test_3_the_driver_comes_and_goes_while_the_daemon_is_away(self) -> None:
        a = self.lab.guests[0]
        self.kill_daemon()
        for _ in range(2):
            a.must("rmmod vrdma", PATIENCE)
            a.must("insmod /lib/modules/vrdma.ko", PATIENCE)
        self.lab.daemon.start_again()
        self.assert_works()

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertTrue(guest.qemu.running)
            self.assertNotRegex(guest.must("dmesg"), r"BUG:|WARNING:|Oops|blocked for more")


if __name__ == "__main__":
    main()
