# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Machines with an address of their own: link-local GIDs, ports and names.

Nothing is configured but the guests' MAC addresses.
"""

from __future__ import annotations

import itertools

from support_py.suite import PATIENCE, HostTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job, Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.network.overlay import own_address
from vrdma_lab.programs import rping
from vrdma_lab.programs.traffic import wait_listening
from vrdma_lab.vm.guest import Guest

_ports = itertools.count(31000)


def link_local(number: int) -> str:
    """The link-local address that a guest forms from its MAC address, as /proc shows it."""
    return own_address(number).packed.hex()


class Announced(HostTest):
    modules = ("8021q",)

    @classmethod
    def prepare(cls) -> None:
        cls.host.serve((1, 2), peers=())
        for guest in cls.host.boot((1, 2)):
            guest.wait_addresses()

    @property
    def a(self) -> Guest:
        return self.host.guests[0]

    @property
    def b(self) -> Guest:
        return self.host.guests[1]

    def pingpong(self, kind: str, gids: tuple[int, int] = (0, 0)) -> Outcome:
        """A ping-pong from a to b between GIDs of the two; the outcome of a program that failed."""
        port = next(_ports)
        commands = [f"ibv_{kind}_pingpong -g {gid} -c -e -n 50 -p {port}" for gid in gids]
        serving = self.b.start(commands[1])
        wait_listening(self.b, port, serving)
        asking = self.a.start(f"{commands[0]} {self.b.ip}")
        # The server is the first to learn the other one's GID, and gives up if it cannot name it.
        outcome = asking.wait(PATIENCE)
        served = serving.wait(PATIENCE) if outcome.ok or serving.done else serving.kill()
        return outcome if served.ok else served

    def assert_meet(self, kind: str, gids: tuple[int, int] = (0, 0)) -> None:
        outcome = self.pingpong(kind, gids)
        self.assertTrue(outcome.ok, outcome.output)

    def add_vlan(self, guest: Guest, vlan: int, address: str) -> int:
        """Gives a guest an interface of a VLAN; the index of its GID."""
        name = f"eth0.{vlan}"
        guest.must(
            f"modprobe 8021q; ip link add link eth0 name {name} type vlan id {vlan} && "
            f"ip link set {name} up && ip address add {address}/24 dev {name}"
        )
        guest.wait_gid(address)
        return guest.gid_index(address)

    def listening(self, side: Side, command: str, port: int, addresses: str = "fe80::") -> Job:
        """A server with librdmacm, once the host's kernel listens for it."""
        serving = side.start(f"exec env {LINE_BUFFERED} {command}")
        waiting = self.host.native.start(
            f"until rdma resource show cm_id | grep -q 'LISTEN .*{addresses}.*:{port} '; "
            "do sleep 0.02; done"
        )
        if not waiting.wait_or(serving, PATIENCE):
            waiting.kill()
            self.fail(serving.output)
        return serving

    def test_1_programs_that_take_the_first_gid_meet(self) -> None:
        for kind in ("rc", "uc", "ud", "srq"):
            with self.subTest(kind):
                self.assert_meet(kind)

    def test_2_the_hosts_netdev_has_the_addresses(self) -> None:
        addresses = self.host.native.must("cat /proc/net/if_inet6")
        self.assertIn(link_local(1), addresses)
        self.assertIn(link_local(2), addresses)

    def test_3_each_guest_has_all_ports(self) -> None:
        for port in (next(_ports), 700):
            with self.subTest(port=port):
                servers = [
                    self.listening(guest, f"rping -s -C 2 -v -p {port}", port)
                    for guest in (self.a, self.b)
                ]
                for server, client in ((self.a, self.b), (self.b, self.a)):
                    outcome = client.run(f"rping -c -C 2 -V -v -p {port} -a {server.ip}", PATIENCE)
                    self.assertTrue(rping.succeeded(outcome, 2), outcome.output)
                for serving in servers:
                    self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 2), serving.output)

    def test_4_librdmacm_meets_at_link_local_addresses(self) -> None:
        port = next(_ports)
        address = self.b.must(
            "ip -6 address show dev eth0 scope link | sed -n 's/.*inet6 \\([^/]*\\).*/\\1/p'"
        ).strip()
        serving = self.listening(self.b, f"rping -s -C 2 -v -p {port} -a {address}%eth0", port)
        outcome = self.a.run(f"rping -c -C 2 -V -v -p {port} -a {address}%eth0", PATIENCE)
        self.assertTrue(rping.succeeded(outcome, 2), outcome.output + serving.output)
        self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 2), serving.output)

    def test_5_a_listener_is_there_before_the_guest_has_an_address(self) -> None:
        port = next(_ports)
        self.b.must(f"ip address del {self.b.ip}/24 dev eth0")
        serving = self.listening(self.b, f"rping -s -C 2 -v -p {port}", port)
        self.b.must(f"ip address add {self.b.ip}/24 dev eth0")
        self.b.wait_device()
        outcome = self.a.run(f"rping -c -C 2 -V -v -p {port} -a {self.b.ip}", PATIENCE)
        self.assertTrue(rping.succeeded(outcome, 2), outcome.output + serving.output)
        self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 2), serving.output)

    def test_6_vlans_do_not_meet(self) -> None:
        in_5 = self.add_vlan(self.a, 5, "10.78.0.1"), self.add_vlan(self.b, 5, "10.78.0.2")
        in_7 = self.add_vlan(self.b, 7, "10.79.0.2")
        self.assert_meet("rc", in_5)
        self.assertFalse(self.pingpong("rc", (in_5[0], in_7)).ok)

    def test_8_a_reset_takes_the_address_away(self) -> None:
        self.a.must("rmmod vrdma")
        addresses = self.host.native.must("cat /proc/net/if_inet6")
        self.assertNotIn(link_local(1), addresses)
        self.assertIn(link_local(2), addresses)
        self.a.must("insmod /lib/modules/vrdma.ko")
        self.a.wait_device()
        self.assert_meet("rc")

    def test_9_nothing_is_left_when_the_daemon_ends(self) -> None:
        self.host.daemon.child.stop()
        self.assertNotIn(link_local(2), self.host.native.must("cat /proc/net/if_inet6"))

    @classmethod
    def tearDownClass(cls) -> None:
        for side in (*cls.host.guests, cls.host.native):
            assert side.complaints() == "", side.complaints()


if __name__ == "__main__":
    main()
