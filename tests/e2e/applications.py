# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""UCX, libfabric and qperf between guests of the embedded RNIC.

The programs choose device and GID themselves.
"""

from __future__ import annotations

from support_py.e2e import LabTest, main
from vrdma_lab.programs.applications import Application, FiPingpong, Qperf, UcxPerftest, run
from vrdma_lab.vm.guest import GuestOptions

RC = {"UCX_TLS": "rc"}
UD = {"UCX_TLS": "ud"}


class Applications(LabTest):
    @classmethod
    def boot(cls) -> None:
        options = GuestOptions(memory_mib=512, archive=cls.lab.applications())
        for guest in cls.lab.boot((1, 2), options):
            guest.wait_device()
            guest.wait_addresses()  # UCX and libfabric take link-local GIDs

    def check(self, *applications: Application) -> None:
        a, b = self.lab.guests
        for application in applications:
            with self.subTest(application.title):
                self.assertEqual(run(b, a, application), "")

    def test_ucx_by_its_transports(self) -> None:
        self.check(UcxPerftest("am_lat", "rc_verbs"), UcxPerftest("am_lat", "ud_verbs"))

    def test_ucx_by_its_protocols(self) -> None:
        self.check(
            UcxPerftest("tag_lat", environment=RC),
            UcxPerftest("tag_bw", size=1 << 20, iterations=20, environment=RC),
            UcxPerftest("tag_lat", environment=UD),
            UcxPerftest("tag_lat"),
        )

    def test_ucx_asleep_between_completions(self) -> None:
        asleep = ("-E", "sleep")
        self.check(
            UcxPerftest("tag_lat", options=asleep, environment=RC),
            UcxPerftest("tag_lat", options=asleep, environment=UD),
        )

    def test_libfabric(self) -> None:
        self.check(
            FiPingpong("msg"),
            FiPingpong("dgram"),
            FiPingpong("rdm", "verbs;ofi_rxm"),
            FiPingpong("rdm", "verbs;ofi_rxd"),
        )

    def test_qperf(self) -> None:
        self.check(Qperf(("rc_lat", "rc_bw", "rc_rdma_write_lat", "rc_rdma_read_lat")))

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
