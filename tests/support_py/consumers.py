# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base class of the tests with the kernel's consumers of RDMA, each beside vrdma on any RNIC."""

from __future__ import annotations

import unittest

from vrdma_lab.test_form import is_long
from vrdma_lab.vm.guest import Guest

# All upper layer protocols of Debian's kernels, and the modules by which programs reach the RDMA
# core.
CONSUMERS = (
    *("rdma_ucm", "ib_umad", "ib_ipoib", "rds_rdma", "smc", "smc_diag"),
    *(
        "nvme_rdma",
        "nvmet_rdma",
        "ib_srp",
        "ib_srpt",
        "ib_iser",
        "ib_isert",
        "rpcrdma",
        "9pnet_rdma",
    ),
)


class ConsumersTest(unittest.TestCase):
    """A class of tests gives the guests, and traffic between the first two."""

    # Whether the short form has more than the test that is nearly all of the others.
    thorough = False

    def consumers_guests(self) -> list[Guest]:
        raise NotImplementedError

    def traffic(self) -> None:
        raise NotImplementedError

    def wait_device(self, guest: Guest) -> None:
        guest.wait_device()

    def assert_well(self, guest: Guest) -> None:
        self.assertEqual(guest.complaints(), "")

    def skip_unless_thorough(self) -> None:
        if not self.thorough and not is_long():
            self.skipTest("scripts/test --long")

    def load(self, guest: Guest) -> None:
        for module in CONSUMERS:
            with self.subTest(module, guest=guest.name):
                outcome = guest.run(f"modprobe {module}")
                self.assertEqual(outcome.status, 0, outcome.output)
                self.assert_well(guest)

    def unload(self, guest: Guest) -> None:
        # The connection manager stays, because it was there before.
        for module in reversed(CONSUMERS[1:]):
            with self.subTest(module, guest=guest.name):
                outcome = guest.run(f"rmmod {module}")
                self.assertEqual(outcome.status, 0, outcome.output)
                self.assert_well(guest)

    def test_consumers_come_and_go_and_vrdma_works(self) -> None:
        self.skip_unless_thorough()
        for guest in self.consumers_guests():
            self.load(guest)
        self.traffic()
        for guest in self.consumers_guests():
            self.unload(guest)
        self.traffic()

    def test_vrdma_goes_and_comes_under_all_of_them(self) -> None:
        for guest in self.consumers_guests():
            self.load(guest)
            guest.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
            self.wait_device(guest)
            self.assert_well(guest)
        self.traffic()
        for guest in self.consumers_guests():
            self.unload(guest)

    def test_vrdma_is_unloaded_for_good_after_them(self) -> None:
        self.skip_unless_thorough()
        for guest in self.consumers_guests():
            self.load(guest)
            self.unload(guest)
            guest.must("rmmod vrdma")
            self.assertEqual(guest.must("ls /sys/class/infiniband"), "")
            self.assert_well(guest)
            guest.must("insmod /lib/modules/vrdma.ko")
            self.wait_device(guest)
        self.traffic()
