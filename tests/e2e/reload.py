# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The guest driver is removed and comes back."""

from __future__ import annotations

import signal
from typing import Any

from support_py.e2e import LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED


def held_by(status: dict[str, Any], name: str) -> dict[str, int]:
    """The objects that a guest holds, as the daemon says."""
    for machine in status["vms"]:
        if machine["name"] == name:
            objects: dict[str, int] = machine["objects"]
            return objects
    raise AssertionError(f"vrdmad does not know {name}")


class Reload(LabTest):
    idle: dict[str, int]  # the objects of guest a's kernel

    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.lab.guests[0].wait_device()
        cls.idle = held_by(cls.lab.daemon.status(), "a")

    def wait_idle(self, after: str) -> dict[str, Any]:
        return self.lab.daemon.wait_status(
            lambda status: held_by(status, "a") == self.idle,
            f"guest a holds what its kernel needs after {after}",
        )

    def test_traffic_goes_on_after_the_driver_was_reloaded(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        a.must("rmmod vrdma")
        self.assertEqual(a.must("ls /sys/class/infiniband"), "")
        self.lab.daemon.wait_status(
            lambda status: not any(held_by(status, "a").values()),
            "guest a holds nothing after rmmod",
        )
        a.must("insmod /lib/modules/vrdma.ko")
        a.wait_device()
        self.exchange(b, a)
        self.exchange(a, b)

    def test_many_reloads_leave_nothing_behind(self) -> None:
        a, b = self.lab.guests
        status = self.wait_idle("its last program")
        before = status["vms"][0]["window"]["used"]
        for _ in range(5):
            a.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        a.wait_device()
        self.exchange(b, a)
        self.lab.daemon.wait_status(
            lambda status: status["vms"][0]["window"]["used"] == before
            and held_by(status, "a") == self.idle,
            "the shared memory region and the objects of guest a are as before",
        )

    def test_a_driver_removed_under_a_program_leaves_nothing_behind(self) -> None:
        a, b = self.lab.guests
        user = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong -d vrdma0 -g {a.gid_index()}")
        user.wait_for("local address")
        # uverbs takes the device from the program, so that nothing keeps the driver.
        a.must("rmmod vrdma")
        self.lab.daemon.wait_status(
            lambda status: not any(held_by(status, "a").values()),
            "guest a holds nothing after rmmod",
        )
        user.signal(signal.SIGTERM)
        user.wait()
        self.assertNotRegex(a.must("dmesg"), r"BUG:|WARNING:|Oops")
        a.must("insmod /lib/modules/vrdma.ko")
        a.wait_device()
        self.exchange(b, a)

    def test_a_killed_program_leaves_nothing_behind(self) -> None:
        a = self.lab.guests[0]
        user = a.start(f"{LINE_BUFFERED} ibv_srq_pingpong -d vrdma0 -g {a.gid_index()}")
        user.wait_for("local address")
        self.assertGreater(
            held_by(self.lab.daemon.status(), "a")["queue_pairs"], self.idle["queue_pairs"]
        )
        user.kill()
        self.wait_idle("its program was killed")


if __name__ == "__main__":
    main()
