# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""VLAN interfaces of guests on the embedded RNIC: librdmacm over them, and their separation."""

from __future__ import annotations

import itertools

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.programs import rping
from vrdma_lab.programs.rdmacm import wait_listener
from vrdma_lab.vm.guest import Guest

VLAN = 100
_ports = itertools.count(22000)


def addresses(network: int, guest: Guest) -> tuple[str, str]:
    """The addresses of a guest in one of the networks 0 to 255."""
    return f"10.78.{network}.{guest.number}", f"fd00:78:{network}::{guest.number}"


class Vlan(LabTest):
    modules = ("8021q",)

    @classmethod
    def boot(cls) -> None:
        super().boot()
        a, b = cls.lab.guests
        for guest in (a, b):
            guest.wait_device()
            guest.must("modprobe 8021q")
            cls.join(guest, VLAN, 1)
        # One network of addresses, and VLANs that differ.
        cls.join(a, VLAN + 1, 2)
        cls.join(b, VLAN + 2, 2)
        # A VLAN on one side only.
        cls.join(a, VLAN + 3, 3)
        ipv4, ipv6 = addresses(3, b)
        b.must(f"ip addr add {ipv4}/24 dev eth0 && ip addr add {ipv6}/64 dev eth0")

    @staticmethod
    def join(guest: Guest, vlan: int, network: int) -> None:
        """Makes a VLAN's interface, and waits until the device has its GIDs."""
        ipv4, ipv6 = addresses(network, guest)
        name = f"eth0.{vlan}"
        guest.must(
            f"ip link add link eth0 name {name} type vlan id {vlan} && ip link set {name} up && "
            f"ip addr add {ipv4}/24 dev {name} && ip addr add {ipv6}/64 dev {name} && "
            f"until ibv_devinfo -v -d vrdma0 | grep -qi '::ffff:{ipv4}' && "
            f"ibv_devinfo -v -d vrdma0 | grep -qi '{ipv6}'; do usleep 50000; done"
        )

    def rping(self, network: int, version: int) -> Outcome:
        """A client in guest a and a server in guest b."""
        a, b = self.lab.guests
        port = next(_ports)
        address = addresses(network, b)[version]
        own = addresses(network, a)[version]
        serving = b.start(f"{LINE_BUFFERED} rping -s -a {address} -p {port} -C 3 -v")
        self.assertTrue(wait_listener(b, port, serving), serving.output)
        outcome = a.run(f"rping -c -a {address} -I {own} -p {port} -C 3 -v", PATIENCE)
        if rping.succeeded(outcome, 3):
            self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 3), serving.output)
        serving.kill()
        return outcome

    def test_connections_within_a_vlan(self) -> None:
        for version in (0, 1):
            with self.subTest(address=version):
                outcome = self.rping(1, version)
                self.assertTrue(rping.succeeded(outcome, 3), outcome.output)

    def test_vlans_that_differ_are_not_connected(self) -> None:
        # The neighbour is not found, as on any Ethernet.
        self.assertIn("RDMA_CM_EVENT_ADDR_ERROR", self.rping(2, 0).output)

    def test_a_vlan_on_one_side_is_not_connected(self) -> None:
        self.assertIn("RDMA_CM_EVENT_ADDR_ERROR", self.rping(3, 0).output)

    def test_the_base_interface_still_connects(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
