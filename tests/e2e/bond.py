# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The paired netdevs in a bond: fail-over to the other slave's device and back."""

from __future__ import annotations

import itertools
import time

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.progress import Patience
from vrdma_lab.machine.side import Side
from vrdma_lab.network.overlay import PREFIX_LENGTH
from vrdma_lab.programs import rping
from vrdma_lab.programs.rdmacm import wait_listener
from vrdma_lab.programs.traffic import Exchange, wait_listening
from vrdma_lab.vm.guest import Guest, GuestOptions

SECOND = 3  # the number of guest a's second device
SLAVES = ("eth0", "eth1")
VLAN = 100
_ports = itertools.count(22000)


class Bond(LabTest):
    """Guest a has a device for each slave of its bond; guest b has no bond."""

    guest_count = 3  # of the daemon
    modules = ("bonding", "8021q")
    a: Guest
    b: Guest
    devices: dict[str, Side]  # those of guest a, by the slave that each is paired with

    @classmethod
    def boot(cls) -> None:
        guests = [cls.lab.launch(1, GuestOptions(more_devices=(SECOND,))), cls.lab.launch(2)]
        for guest in guests:
            guest.wait_booted()
        cls.a, cls.b = a, b = guests
        a.must(
            "modprobe bonding max_bonds=0 && modprobe 8021q && cd /sys/class/net && "
            "echo +bond0 > bonding_masters && echo active-backup > bond0/bonding/mode && "
            "echo 100 > bond0/bonding/miimon && "
            "ip addr flush dev eth0 && ip link set eth0 down && ip link set eth1 down && "
            # The bond and eth0 get the MAC address of eth1.
            "echo +eth1 > bond0/bonding/slaves && echo +eth0 > bond0/bonding/slaves && "
            f"ip link set bond0 up && ip addr add {a.ip}/{PREFIX_LENGTH} dev bond0 && "
            f"ip link add link bond0 name bond0.{VLAN} type vlan id {VLAN} && "
            f"ip addr add {cls.vlan_address(a)}/24 dev bond0.{VLAN} && "
            f"ip link set bond0.{VLAN} up"
        )
        b.must(
            f"modprobe 8021q && ip link add link eth0 name eth0.{VLAN} type vlan id {VLAN} && "
            f"ip addr add {cls.vlan_address(b)}/24 dev eth0.{VLAN} && ip link set eth0.{VLAN} up"
        )
        b.wait_device()
        cls.devices = {
            slave: Side(f"a's {slave}", a.ip, "", f"vrdma{number}", a.channel)
            for number, slave in enumerate(SLAVES)
        }
        cls.fail_over("eth0")

    @staticmethod
    def vlan_address(guest: Guest) -> str:
        return f"10.78.1.{guest.number}"

    @classmethod
    def wait_gids(cls, active: str) -> None:
        """Waits until the bond's IPv4 addresses are on the active slave's device, and there only.

        The kernel gives the bond's link-local address to both devices.
        """
        (other,) = (slave for slave in SLAVES if slave != active)
        here, there = cls.devices[active].device, cls.devices[other].device
        count = "$(grep -l :ffff: /sys/class/infiniband/{}/ports/1/gids/* | wc -l)"
        cls.a.must(
            f"until [ {count.format(here)}/{count.format(there)} = 2/0 ]; do usleep 50000; done"
        )
        for device in cls.devices.values():
            device.forget_gids()

    @classmethod
    def fail_over(cls, active: str) -> None:
        """Makes a slave the active one, if it is not."""
        cls.a.must(
            f"until grep -q up /sys/class/net/{active}/bonding_slave/mii_status; "
            "do usleep 50000; done; "
            f"echo {active} > /sys/class/net/bond0/bonding/active_slave"
        )
        cls.wait_gids(active)

    def rping(self, server: Side, client: Side, address: str) -> None:
        port = next(_ports)
        serving = server.start(f"{LINE_BUFFERED} rping -s -a {address} -p {port} -C 3 -v")
        self.assertTrue(wait_listener(server, port, serving), serving.output)
        outcome = client.run(f"rping -c -a {address} -p {port} -C 3 -v", PATIENCE)
        passed = rping.succeeded(outcome, 3)
        if not passed:
            serving.kill()
        self.assertTrue(passed, f"{outcome.output}\n{serving.output}")
        self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 3), serving.output)

    def connections(self, active: str) -> None:
        """New connections from and to the bond's addresses."""
        a, b = self.a, self.b
        self.exchange(b, self.devices[active])
        self.exchange(self.devices[active], b)
        for here, there, address in (
            (a, b, a.ip),
            (b, a, b.ip),
            (a, b, self.vlan_address(a)),
            (b, a, self.vlan_address(b)),
        ):
            with self.subTest(active=active, server=address):
                self.rping(here, there, address)

    def test_connections_before_and_after_each_fail_over(self) -> None:
        self.fail_over("eth0")
        self.connections("eth0")
        for active in ("eth1", "eth0"):
            self.fail_over(active)
            self.connections(active)

    def test_a_slave_that_goes_down_is_failed_over(self) -> None:
        self.fail_over("eth0")
        self.a.must("ip link set eth0 down")
        self.wait_gids("eth1")
        self.connections("eth1")
        self.a.must("ip link set eth0 up")

    def test_a_listener_on_all_addresses_is_found_after_a_fail_over(self) -> None:
        self.fail_over("eth0")
        port = next(_ports)
        serving = self.a.start(f"{LINE_BUFFERED} rping -s -p {port} -C 3 -v")
        self.assertTrue(wait_listener(self.a, port, serving), serving.output)
        self.fail_over("eth1")
        outcome = self.b.run(f"rping -c -a {self.a.ip} -p {port} -C 3 -v", PATIENCE)
        passed = rping.succeeded(outcome, 3)
        if not passed:
            serving.kill()
        self.assertTrue(passed, f"{outcome.output}\n{serving.output}")

    def test_the_driver_is_reloaded_under_the_bond(self) -> None:
        self.a.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        for slave, device in self.devices.items():
            folder = f"/sys/class/infiniband/{device.device}/device/net"
            self.assertEqual(self.a.must(f"ls {folder}").split(), [slave])
        self.fail_over("eth1")
        self.connections("eth1")

    @staticmethod
    def sends(side: Side) -> int:
        """The SENDs of a device that have been carried out."""
        folder = f"/sys/class/infiniband/{side.device}/ports/1/hw_counters"
        return int(side.must(f"cat {folder}/rdma_sends"))

    def test_a_connection_that_waits_outlives_fail_over_and_back(self) -> None:
        # Its queue pair keeps the GID in the kernel's table, which must not be in the way of the
        # other device's.
        self.fail_over("eth0")
        port = next(_ports)
        exchange = Exchange("ibv_rc_pingpong", 4096, 2000, ("-e",))
        device = self.devices["eth0"]
        ahead = self.sends(device) - self.sends(self.b)
        serving = self.b.start(exchange.command(self.b, device, port, True))
        wait_listening(self.b, port, serving)
        asking = device.start(exchange.command(device, self.b, port, False))
        self.a.must(
            "until rdma resource show qp link vrdma0/1 | grep -q 'type RC state RTS'; "
            "do usleep 10000; done; killall -STOP ibv_rc_pingpong"
        )
        # A message that is on its way when the GID goes is lost. After another exchange the RNIC
        # has seen all that was posted before, and then the peer has answered all of it.
        self.exchange(self.b, device, Exchange("ibv_rc_pingpong", 64, 10, ("-e",)))
        patience = Patience(PATIENCE)
        while self.sends(device) - self.sends(self.b) != ahead:
            self.assertFalse(patience.over, patience.why())
            time.sleep(0.05)
        self.fail_over("eth1")
        self.connections("eth1")
        self.fail_over("eth0")
        self.connections("eth0")
        self.a.must("killall -CONT ibv_rc_pingpong")
        for job in (asking, serving):
            outcome = job.wait(PATIENCE)
            self.assertTrue(outcome.ok, outcome.output)

    def tearDown(self) -> None:
        for guest in (self.a, self.b):
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
