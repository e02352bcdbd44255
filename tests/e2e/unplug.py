# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The device is pulled out of a running guest and plugged in again, on the same socket."""

from __future__ import annotations

import signal

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.vm.guest import Guest, GuestOptions
from vrdma_lab.vm.monitor import Monitor, monitor_options


class Unplug(LabTest):
    monitor: Monitor

    @classmethod
    def boot(cls) -> None:
        path = cls.lab.folder / "monitor.sock"
        # The root bus of a PC takes devices while it runs; that of a Q35 does not.
        extra = ["-machine", "pc", *monitor_options(path)]
        cls.lab.boot([1], GuestOptions(device_options="id=rdma0", extra=extra))
        cls.lab.boot([2])
        cls.monitor = Monitor(path)
        cls.addClassCleanup(cls.monitor.close)

    def assert_device(self, guest: Guest, there: bool) -> None:
        until = "until" if there else "while"
        guest.must(f"{until} [ -e /sys/class/infiniband/vrdma0 ]; do usleep 50000; done", PATIENCE)

    def test_unplugged_under_a_program_and_plugged_in_again(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        user = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0 -g {a.gid_index()}")
        user.wait_for("local address")

        self.monitor.execute("device_del", id="rdma0")
        self.monitor.wait_deleted("rdma0")
        self.assert_device(a, False)
        self.lab.daemon.wait_status(
            lambda status: not any(status["vms"][0]["objects"].values()),
            "guest a holds nothing without its device",
        )
        user.signal(signal.SIGTERM)
        user.wait(PATIENCE)

        self.monitor.execute("device_add", driver="vrdma-pci", chardev="vrdma0", id="rdma1")
        self.assert_device(a, True)
        a.wait_device()
        self.exchange(b, a)
        self.exchange(a, b)
        self.assertNotRegex(a.must("dmesg"), r"BUG:|WARNING:|Oops")


if __name__ == "__main__":
    main()
