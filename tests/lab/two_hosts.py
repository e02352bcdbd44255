# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests on one host and guests on another, joined by the hosts' RNICs.

On InfiniBand paths are by LID or GID, which guests have of their host, and no peer has to be named.
"""

from __future__ import annotations

from support_py.suite import PATIENCE, HostTest, main
from vrdma_lab.host.rdma_host import BARE_METAL, Peer
from vrdma_lab.host.remote_host import RemoteHost
from vrdma_lab.machine.side import Side
from vrdma_lab.network.host_network import UNDERLAY
from vrdma_lab.programs.stream import Stream
from vrdma_lab.programs import devinfo, rping
from vrdma_lab.programs.rdmacm import wait_listener
from vrdma_lab.programs.traffic import Exchange, wait_listening

HOSTS = 2

HERE, THERE = 1, 3  # the guests' numbers

# Machines of the RNICs' link, by their addresses there or by their link-local ones.
BESIDES = (BARE_METAL, Peer("fe80::/64"))


class TwoHosts(HostTest):
    other: RemoteHost
    here: Side
    there: Side
    ports = iter(range(24000, 24100))

    @classmethod
    def prepare(cls) -> None:
        cls.other = cls.enterClassContext(RemoteHost(2, cls.rnic))
        cls.host.serve([HERE], peers=cls.peers(THERE, 2))
        cls.other.serve([THERE], peers=cls.peers(HERE, 1))
        guest = cls.host.launch(HERE)
        (cls.there,) = cls.other.boot([THERE])
        guest.wait_booted()
        cls.here = guest
        for side in (cls.here, cls.there):
            side.wait_addresses()

    @classmethod
    def peers(cls, guest: int, host: int) -> list[Peer]:
        """What a host's vrdmad is told of the other host and its guest."""
        if cls.host.kind.infiniband:
            return []
        return [Peer(f"10.77.0.{guest}", f"{UNDERLAY}.{host}"), *BESIDES]

    def pingpong_kinds(self, *kinds: str) -> tuple[str, ...]:
        """The kinds of pingpongs that guests' own addresses allow."""
        datagrams = not self.host.kind.writes_paths
        return tuple(kind for kind in kinds if datagrams or kind != "ud")

    def all_programs(self, server: Side, client: Side) -> None:
        for kind in self.pingpong_kinds("rc", "uc", "ud", "srq"):
            self.exchange(server, client, Exchange(f"ibv_{kind}_pingpong", 1024, 50, ("-c", "-e")))
        for verb in ("send", "write", "read", "atomic"):
            self.exchange(server, client, Exchange(f"ib_{verb}_lat", 8, 20))
            self.exchange(
                server, client, Exchange(f"ib_{verb}_bw", 4096 if verb != "atomic" else 8, 50)
            )

    def test_1_the_hosts_reach_each_other(self) -> None:
        self.exchange(
            self.other.native, self.host.native, Exchange("ibv_rc_pingpong", 1024, 50, ("-c", "-e"))
        )

    def test_1_guests_have_the_lids_of_their_hosts(self) -> None:
        if not self.host.kind.infiniband:
            self.skipTest("LIDs are InfiniBand's")
        lids = {}
        for side in (self.host.native, self.here, self.other.native, self.there):
            found = devinfo.attributes(side.must(f"ibv_devinfo -d {side.device}"))
            lids[side.name] = found["port_lid"]
        self.assertEqual(lids[self.here.name], lids[self.host.native.name])
        self.assertEqual(lids[self.there.name], lids[self.other.native.name])
        self.assertNotEqual(lids[self.here.name], lids[self.there.name])

    def test_2_from_guest_to_guest(self) -> None:
        self.all_programs(self.there, self.here)

    def test_3_from_guest_to_guest_in_the_other_direction(self) -> None:
        self.all_programs(self.here, self.there)

    def test_4_from_a_guest_to_the_other_host(self) -> None:
        self.exchange(
            self.other.native, self.here, Exchange("ibv_rc_pingpong", 1024, 50, ("-c", "-e"))
        )
        self.exchange(self.other.native, self.here, Exchange("ib_write_bw", 4096, 50))

    def test_5_a_large_message(self) -> None:
        self.exchange(self.there, self.here, Exchange("ibv_rc_pingpong", 1 << 18, 10, ("-c", "-e")))

    def test_6_connections_are_made_across_the_hosts(self) -> None:
        """librdmacm makes them: the connection manager of each host has its guests' listeners."""
        if self.host.kind.infiniband:
            self.skipTest("a guest has no IPoIB, which librdmacm needs")
        hosts = {self.here: self.host.native, self.there: self.other.native}
        for server, client in (
            (self.there, self.here),
            (self.here, self.there),
            (self.there, self.host.native),
            (self.other.native, self.here),
        ):
            with self.subTest(server=server.name, client=client.name):
                port = next(self.ports)
                serving = server.start(f"exec rping -s -C 3 -v -p {port}")
                manager = hosts.get(server, server)
                self.assertTrue(wait_listener(manager, port, serving), serving.output)
                address = server.address_towards(client)
                outcome = client.run(f"rping -c -C 3 -V -v -p {port} -a {address}", PATIENCE)
                self.assertTrue(rping.succeeded(outcome, 3), outcome.output + serving.output)
                self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 3), serving.output)

    def test_7_guests_meet_at_their_first_gids(self) -> None:
        for kind in self.pingpong_kinds("rc", "ud"):
            for server, client in ((self.there, self.here), (self.here, self.there)):
                with self.subTest(kind, server=server.name):
                    port = next(self.ports)
                    command = f"ibv_{kind}_pingpong -g 0 -c -e -n 50 -p {port}"
                    serving = server.start(command)
                    wait_listening(server, port, serving)
                    outcome = client.run(f"{command} {server.ip}", PATIENCE)
                    served = serving.wait(PATIENCE) if outcome.ok else serving.kill()
                    self.assertTrue(outcome.ok and served.ok, outcome.output + served.output)

    def test_8_the_other_hosts_daemon_is_killed(self) -> None:
        stream = Stream(self.there, self.here)
        stream.wait_flowing(PATIENCE)
        self.other.kill_daemon()
        # The host's kernel destroys what a process had one by one. A WRITE between a region and its
        # queue pair gets IBV_WC_REM_ACCESS_ERR, and a later one IBV_WC_RETRY_EXC_ERR.
        self.assertRegex(stream.end(PATIENCE).output, r"completion status 1[02] ")
        self.assertEqual(self.there.complaints(), "")
        self.exchange(self.here, self.here)


if __name__ == "__main__":
    main()
