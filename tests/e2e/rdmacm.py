# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""librdmacm between guests of the embedded RNIC.

Their own kernels' connection managers work over queue pair 1.
"""

from __future__ import annotations

from support_py import perftest as perftest_test
from support_py import rdmacm as rdmacm_test
from support_py.e2e import LabTest, main
from vrdma_lab.programs.perftest import connected_ways


class RdmaCm(LabTest, rdmacm_test.RdmaCmTest, perftest_test.PerftestTest):
    @classmethod
    def boot(cls) -> None:
        for guest in cls.lab.boot((1, 2), rdmacm_test.GUESTS):
            guest.wait_device()

    def test_programs_from_guest_to_guest(self) -> None:
        a, b = self.lab.guests
        self.run_programs(b, a)

    def test_programs_of_a_guest_with_itself(self) -> None:
        a = self.lab.guests[0]
        self.run_programs(a, a)

    def test_a_large_file_is_copied(self) -> None:
        a, b = self.lab.guests
        self.copy(b, a)

    def test_multicast_from_guest_to_guest(self) -> None:
        a, b = self.lab.guests
        self.multicast(b, a)

    def test_datagram_rsockets_fail_as_on_any_roce(self) -> None:
        self.assert_no_datagram_rsockets(self.lab.guests[0])

    def test_nobody_listening_is_a_rejection(self) -> None:
        a, b = self.lab.guests
        self.assert_rejected(b, a)
        self.assert_rejected(a, a)

    def test_perftest_by_the_connection_manager(self) -> None:
        a, b = self.lab.guests
        for run in connected_ways(iterations=5):
            self.perftest(b, a, run)

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
