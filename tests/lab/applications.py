# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""UCX and libfabric on the host's RNIC, with nothing configured but the guests' MAC addresses.

The programs choose device and GID as they do natively.
"""

from __future__ import annotations

from support_py.suite import HostTest, main
from vrdma_lab.machine.side import Side
from vrdma_lab.network.host_network import BRIDGE
from vrdma_lab.network.overlay import own_address
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


class ApplicationsTest(HostTest):
    def run_all(self, server: Side, client: Side, programs: tuple[Application, ...]) -> None:
        for program in programs:
            with self.subTest(program.title, server=server.name, client=client.name):
                problem = applications.run(server, client, program)
                if problem:
                    self.fail(problem)

    @property
    def a(self) -> Guest:
        return self.host.guests[0]

    @classmethod
    def tearDownClass(cls) -> None:
        for side in (*cls.host.guests, cls.host.native):
            assert side.complaints() == "", side.complaints()


class BetweenGuests(ApplicationsTest):
    @classmethod
    def prepare(cls) -> None:
        cls.host.serve((1, 2), peers=())
        options = GuestOptions(archive=cls.host.applications())
        # Guests boot one after the other: they unpack more than others.
        for number in (1, 2):
            cls.host.boot((number,), options)
        # UCX and libfabric take link-local GIDs.
        for guest in cls.host.guests:
            guest.wait_addresses()

    @property
    def b(self) -> Guest:
        return self.host.guests[1]

    def test_1_ucx_transports_from_guest_to_guest(self) -> None:
        self.run_all(self.b, self.a, UCT)

    def test_2_ucx_protocols_from_guest_to_guest(self) -> None:
        self.run_all(self.b, self.a, UCP)

    def test_3_libfabric_from_guest_to_guest(self) -> None:
        self.run_all(self.b, self.a, LIBFABRIC)


class WithTheHost(ApplicationsTest):
    """A guest and the host, each in an IPv6 network, between which the host routes.

    The guest's address is its own one, which vrdmad announces on the host's netdev.
    """

    PREFIX = "fd77::"
    GUEST = str(own_address(1, PREFIX))
    HOST = "fd09::1"

    @classmethod
    def prepare(cls) -> None:
        router = f"{cls.PREFIX}c9"
        cls.host.native.must(
            f"ip -6 address add {router}/64 dev {BRIDGE} nodad && "
            f"ip -6 address add {cls.HOST}/64 dev {cls.host.network.underlay} nodad"
        )
        cls.host.serve((1,), peers=(), announce=f"{cls.PREFIX}/64")
        cls.host.boot((1,), GuestOptions(archive=cls.host.applications()))
        guest = cls.host.guests[0]
        guest.must(
            f"ip -6 address add {cls.GUEST}/64 dev eth0 && "
            f"ip -6 route add {cls.HOST}/64 via {router}"
        )
        for side, address in ((guest, cls.GUEST), (cls.host.native, cls.HOST)):
            side.wait_gid(address)
        guest.wait_addresses()

    def test_ucx_protocols(self) -> None:
        addresses = {self.a.name: self.GUEST, self.host.native.name: self.HOST}
        programs = [
            UcxPerftest("tag_lat", iterations=20, environment={"UCX_TLS": tls}, addresses=addresses)
            for tls in ("rc", "ud")
        ]
        # The host's datagrams come first, to a guest that has sent nothing yet.
        for server, client in ((self.a, self.host.native), (self.host.native, self.a)):
            self.run_all(server, client, tuple(programs))


if __name__ == "__main__":
    main()
