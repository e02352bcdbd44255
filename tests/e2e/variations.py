# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests unlike those of the other tests: processors, memory, buses, and devices that differ.

scripts/test --long has more pairs of them.
"""

from __future__ import annotations

import re

from support_py.e2e import PATIENCE, LabTest, long_form_only, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.side import Side
from vrdma_lab.network.overlay import PREFIX_LENGTH, guest_address
from vrdma_lab.programs import rping
from vrdma_lab.programs.rdmacm import wait_listener
from vrdma_lab.programs.traffic import Exchange, wait_listening
from vrdma_lab.vm.guest import Guest, GuestOptions

# Memory below and above a hole, and in two nodes: four regions, as vhost-user has them.
LARGE = GuestOptions(memory_mib=2048, processors=4, nodes=2, machine="q35,max-ram-below-4g=512M")
SECOND = 3  # the number of guest b's second device
OLD = GuestOptions(machine="pc", more_devices=(SECOND,))


class Pair(LabTest):
    """A guest a and a guest b; b may have a second device."""

    guest_count = 3  # of the daemon
    options = (LARGE, OLD)
    a: Guest
    b: Guest
    devices: list[Side]  # those of guest b

    @classmethod
    def boot(cls) -> None:
        guests = [cls.lab.launch(number, options) for number, options in enumerate(cls.options, 1)]
        for guest in guests:
            guest.wait_booted()
        cls.a, cls.b = guests
        cls.devices = [cls.b]
        if cls.options[1].more_devices:
            address = guest_address(SECOND)
            cls.b.must(f"ip addr add {address}/{PREFIX_LENGTH} dev eth1 && ip link set eth1 up")
            # Both interfaces are in one network: each answers for its own address alone.
            cls.b.must(
                "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore; "
                "echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce"
            )
            cls.devices.append(Side("b's second", address, "", "vrdma1", cls.b.channel))

    def test_the_guests_are_what_they_shall_be(self) -> None:
        for guest, options in zip((self.a, self.b), self.options):
            with self.subTest(guest=guest.name):
                self.assertEqual(int(guest.must("nproc")), options.processors)
                nodes = guest.must("ls -d /sys/devices/system/node/node[0-9]*").split()
                self.assertEqual(len(nodes), options.nodes)
                devices = guest.must("ls /sys/class/infiniband").split()
                self.assertEqual(len(devices), 1 + len(options.more_devices))
                self.assertEqual(guest.complaints(), "")

    def test_pingpong_from_every_processor(self) -> None:
        for processor in range(self.options[0].processors):
            for device in self.devices:
                with self.subTest(processor=processor, device=device.device):
                    self.assertEqual(self.pinned_pingpong(device, processor), [])

    def pinned_pingpong(self, server: Side, processor: int) -> list[str]:
        """A ping-pong whose client runs on one processor of guest a; what failed."""
        exchange = Exchange("ibv_rc_pingpong", 65536, 50, ("-c", "-e"))
        port = 19000 + processor
        serving = server.start(exchange.command(server, self.a, port, serves=True))
        wait_listening(server, port, serving)
        asked = self.a.run(
            f"export {exchange_words(exchange.command(self.a, server, port, False), processor)}",
            PATIENCE,
        )
        served = serving.wait(PATIENCE) if asked.ok else serving.kill()
        return [outcome.output for outcome in (asked, served) if not outcome.ok]

    def test_perftest_chooses_device_and_gid_itself(self) -> None:
        for program in ("ib_write_bw", "ib_send_lat", "ib_read_bw"):
            with self.subTest(program):
                serving = self.b.start(f"{LINE_BUFFERED} {program} -F -n 200 -s 65536 -p 18515")
                wait_listening(self.b, 18515, serving)
                asked = self.a.run(
                    f"{LINE_BUFFERED} {program} -F -n 200 -s 65536 -p 18515 {self.b.ip}", PATIENCE
                )
                served = serving.wait(PATIENCE) if asked.ok else serving.kill()
                self.assertTrue(asked.ok and served.ok, f"{asked.output}\n{served.output}")
                self.assertRegex(asked.output, re.compile(r"^ *65536 +\d+ ", re.MULTILINE))

    def test_rping_finds_each_device_by_its_address(self) -> None:
        for port, server in enumerate(self.devices, 7000):
            with self.subTest(server.device):
                where = f"-a {server.ip} -p {port}"
                serving = server.start(f"{LINE_BUFFERED} rping -s {where} -C 20 -v")
                wait_listener(server, port, serving)
                asked = self.a.run(f"rping -c {where} -C 20 -V -v", PATIENCE)
                passed = rping.succeeded(asked, 20)
                self.assertTrue(passed, f"{asked.output}\n{serving.output}")
                self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 20), serving.output)

    def test_all_processors_at_once(self) -> None:
        pairs = []
        for port in range(18600, 18600 + self.options[0].processors):
            words = f"ib_write_bw -F -d vrdma0 -n 500 -s 65536 -p {port}"
            server_index, client_index = self.b.gid_index(), self.a.gid_index()
            serving = self.b.start(f"{LINE_BUFFERED} {words} -x {server_index}")
            wait_listening(self.b, port, serving)
            pairs.append((serving, f"{words} -x {client_index} {self.b.ip}"))
        asking = [self.a.start(f"{LINE_BUFFERED} {words}") for _, words in pairs]
        for (serving, _), client in zip(pairs, asking):
            asked = client.wait(PATIENCE)
            served = serving.wait(PATIENCE) if asked.ok else serving.kill()
            self.assertTrue(asked.ok and served.ok, f"{asked.output}\n{served.output}")


def exchange_words(command: str, processor: int) -> str:
    """A command with variables before it, as a shell runs it on one processor."""
    variables, _, words = command.partition(" ibv_")
    return f"{variables}; exec taskset {1 << processor:x} ibv_{words}"


@long_form_only
class LargeGuestsWithTwoDevices(Pair):
    options = (
        GuestOptions(memory_mib=2048, processors=4, nodes=4, machine="pc,max-ram-below-4g=1G"),
        GuestOptions(memory_mib=1024, processors=2, nodes=2, more_devices=(SECOND,)),
    )


@long_form_only
class PackedRings(Pair):
    options = (
        GuestOptions(memory_mib=2048, processors=4, nodes=2, device_options="packed=on"),
        GuestOptions(machine="pc", processors=2, device_options="packed=on"),
    )


@long_form_only
class MemoryBeyondFourGiB(Pair):
    options = (GuestOptions(memory_mib=5120, processors=2, nodes=2), GuestOptions(processors=4))


if __name__ == "__main__":
    main()
