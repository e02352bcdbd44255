# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests with the other kernel, with both kernels on one daemon, and with Debian's newest."""

from __future__ import annotations

from support_py.e2e import KERNEL, OTHER_KERNEL, LabTest, main
from vrdma_lab import paths
from vrdma_lab.programs.traffic import Exchange


class Kernels(LabTest):
    guest_count = 3

    @classmethod
    def boot(cls) -> None:
        guests = [
            cls.lab.launch(1, kernel=OTHER_KERNEL),
            cls.lab.launch(2, kernel=OTHER_KERNEL),
            cls.lab.launch(3),
        ]
        for guest in guests:
            guest.wait_booted()

    def test_the_guests_run_the_kernels_asked_for(self) -> None:
        releases = [guest.must("uname -r") for guest in self.lab.guests]
        for release, series in zip(releases, (OTHER_KERNEL, OTHER_KERNEL, KERNEL)):
            self.assertTrue(release.startswith(series + "."), release)

    def test_traffic_between_guests_with_the_other_kernel(self) -> None:
        a, b, _ = self.lab.guests
        for kind in ("rc", "uc", "ud", "srq"):
            self.exchange(b, a, Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e")))
        for verb in ("send", "write", "read", "atomic"):
            self.exchange(b, a, Exchange(f"ib_{verb}_lat", 8, 50))
            self.exchange(b, a, Exchange(f"ib_{verb}_bw", 8 if verb == "atomic" else 65536, 100))

    def test_traffic_between_the_kernels(self) -> None:
        a, _, c = self.lab.guests
        for server, client in ((a, c), (c, a)):
            self.exchange(server, client)
            self.exchange(server, client, Exchange("ib_read_bw", 65536, 100))

    def test_the_driver_is_reloaded_in_the_other_kernel(self) -> None:
        a, b, _ = self.lab.guests
        a.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        a.wait_device()
        self.exchange(b, a)


class NewestKernel(LabTest):
    kernel = paths.NEWEST_KERNEL

    def test_traffic_between_guests_with_the_newest_kernel(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a, Exchange("ibv_rc_pingpong", 4096, 100, ("-c", "-e")))
        self.exchange(b, a, Exchange("ibv_ud_pingpong", 1024, 100))
        self.exchange(b, a, Exchange("ib_read_bw", 65536, 100))

    def test_counters_and_description_in_the_newest_kernel(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        for guest in (a, b):
            self.assertRegex(guest.must("rdma statistic show link vrdma0/1"), r"rdma_sends [1-9]")
            port = "/sys/class/infiniband/vrdma0/ports/1"
            self.assertRegex(guest.must(f"cat {port}/hw_counters/rdma_recvs"), r"^[1-9]\d*$")
            self.assertRegex(guest.must(f"cat {port}/counters/port_xmit_data"), r"^[1-9]\d*$")
            path = "/sys/class/infiniband/vrdma0/node_desc"
            description = guest.must(f"printf {guest.name} > {path}; cat {path}")
            self.assertEqual(description.strip(), guest.name)

    def test_the_driver_is_reloaded_in_the_newest_kernel(self) -> None:
        a, b = self.lab.guests
        a.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        a.wait_device()
        self.exchange(b, a)


if __name__ == "__main__":
    main()
