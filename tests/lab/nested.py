# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests under KVM on the host, on the embedded RNIC.

The device and KVM are tested without the host's RNIC.
"""

from __future__ import annotations

from support_py import registration
from support_py.suite import GuestsTest, main
from vrdma_lab.host.counters import exits
from vrdma_lab.programs.traffic import Exchange


class Nested(GuestsTest, registration.RegistrationTest):
    backend = "embedded"
    # There is one processor, which a daemon that spins would keep from the guests.
    spin_us = 0
    # Linux 6.1's rxe takes IBV_ACCESS_ZERO_BASED and does nothing with it.  The embedded RNIC
    # refuses what it does not do.
    different = registration.DIFFERENT | dict.fromkeys(
        (
            "right 5 alone",
            "right 5 with local write",
            "binding and zero based",
            "no bytes, unaligned, zero based",
            "one byte, zero based",
            "one byte, unaligned, zero based",
            "two bytes across pages, zero based",
            "one page, zero based",
            "one page, unaligned, zero based",
            "all pages, zero based",
        ),
        "Operation not supported",
    )

    def test_the_guests_run_under_kvm(self) -> None:
        self.assertGreater(exits(self.a), 0)
        self.assertIn("KVM", self.a.must("dmesg | grep -i 'hypervisor detected'"))

    def test_pingpongs_from_guest_to_guest(self) -> None:
        for kind in ("rc", "uc", "ud", "srq"):
            self.exchange(self.b, self.a, Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e")))

    def test_pingpong_of_a_guest_with_itself(self) -> None:
        self.exchange(self.a, self.a, Exchange("ibv_rc_pingpong", 1024, 50, ("-c", "-e")))

    def test_perftest_from_guest_to_guest(self) -> None:
        for verb in ("send", "write", "read", "atomic"):
            self.exchange(self.b, self.a, Exchange(f"ib_{verb}_bw", 65536, 100))


if __name__ == "__main__":
    main()
