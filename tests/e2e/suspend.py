# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest sleeps (suspend to RAM) under a program, and wakes with its RDMA device."""

from __future__ import annotations

import time

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.errors import LabError
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.vm.guest import GuestOptions
from vrdma_lab.vm.monitor import Monitor, monitor_options


class Suspend(LabTest):
    monitor: Monitor

    @classmethod
    def boot(cls) -> None:
        path = cls.lab.folder / "monitor.sock"
        cls.lab.boot([1], GuestOptions(extra=monitor_options(path)))
        cls.lab.boot([2])
        cls.monitor = Monitor(path)
        cls.addClassCleanup(cls.monitor.close)

    def wait_asleep(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.monitor.execute("query-status")["status"] != "suspended":
            if time.monotonic() > deadline:
                raise LabError("the guest does not sleep")
            time.sleep(0.1)

    def test_the_guest_wakes_with_its_device(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        user = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0 -g {a.gid_index()}")
        user.wait_for("local address", PATIENCE)
        sleep = a.start("echo mem > /sys/power/state")
        self.wait_asleep()
        self.monitor.execute("system_wakeup")
        self.assertTrue(sleep.wait(PATIENCE).ok)
        user.kill()
        a.must("until [ -e /sys/class/infiniband/vrdma0 ]; do usleep 50000; done", PATIENCE)
        a.wait_device()
        self.exchange(b, a)
        self.exchange(a, b)
        self.assertNotRegex(a.must("dmesg"), r"BUG:|WARNING:|Oops")


if __name__ == "__main__":
    main()
