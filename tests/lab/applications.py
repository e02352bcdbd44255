# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""UCX and libfabric on the host's RNIC, with nothing configured but the guests' MAC addresses.

The programs choose device and GID as they do natively.
"""

from __future__ import annotations

from support_py.suite import HostTest, main
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import applications
from vrdma_lab.programs.applications import Application, FiPingpong, UcxPerftest
from vrdma_lab.vm.guest import Guest, GuestOptions

# rxe's GID of the netdev's link-local address: with another one UCX's datagrams fail natively too.
FIRST_GID = {"UCX_IB_GID_INDEX": "0"}

UCT: tuple[Application, ...] = (
    UcxPerftest("am_lat", "rc_verbs", environment=FIRST_GID),
    UcxPerftest("am_lat", "ud_verbs", environment=FIRST_GID),
)
UCP: tuple[Application, ...] = (
    UcxPerftest("tag_lat", environment={"UCX_TLS": "rc", **FIRST_GID}),
    UcxPerftest("tag_bw", size=100000, iterations=50, environment={"UCX_TLS": "rc", **FIRST_GID}),
    UcxPerftest("tag_lat", environment={"UCX_TLS": "ud", **FIRST_GID}),
    UcxPerftest("tag_lat"),
)
LIBFABRIC: tuple[Application, ...] = (FiPingpong("msg"), FiPingpong("dgram"))


class Applications(HostTest):
    @classmethod
    def prepare(cls) -> None:
        cls.host.serve((1, 2), peers=())
        options = GuestOptions(archive=cls.host.applications())
        # Guests boot one after the other: they unpack more than others.
        for number in (1, 2):
            cls.host.boot((number,), options)

    @property
    def a(self) -> Guest:
        return self.host.guests[0]

    @property
    def b(self) -> Guest:
        return self.host.guests[1]

    def run_all(self, server: Side, client: Side, programs: tuple[Application, ...]) -> None:
        for program in programs:
            with self.subTest(program.title, server=server.name, client=client.name):
                problem = applications.run(server, client, program)
                if problem:
                    self.fail(problem)

    def test_1_ucx_transports_from_guest_to_guest(self) -> None:
        self.run_all(self.b, self.a, UCT)

    def test_2_ucx_protocols_from_guest_to_guest(self) -> None:
        self.run_all(self.b, self.a, UCP)

    def test_3_libfabric_from_guest_to_guest(self) -> None:
        self.run_all(self.b, self.a, LIBFABRIC)

    @classmethod
    def tearDownClass(cls) -> None:
        for side in (*cls.host.guests, cls.host.native):
            assert side.complaints() == "", side.complaints()


if __name__ == "__main__":
    main()
