# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Addressing of guests: networks, addresses that two guests have, and refusals of vrdmad."""

from __future__ import annotations

import itertools
from pathlib import Path

from support_py.suite import PATIENCE, HostTest, main
from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.machine.progress import run_to_end
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.traffic import wait_listening
from vrdma_lab.vm.guest import Guest

_ports = itertools.count(30000)


def give_address(guest: Guest, address: str) -> None:
    """Gives the guest an address and waits until its device has the GID."""
    guest.must(f"ip address add {address}/32 dev eth0")
    guest.wait_gid(address)


def uverbs_of(rnic: str) -> Path:
    """The device file of an RNIC."""
    for entry in Path("/sys/class/infiniband_verbs").glob("uverbs*"):
        if (entry / "ibdev").read_text().strip() == rnic:
            return Path("/dev/infiniband") / entry.name
    raise LabError(f"{rnic} has no uverbs device")


def pingpong(
    server: Side, client: Side, addresses: tuple[str, str] = ("", ""), kind: str = "rc"
) -> list[Outcome]:
    """The ends of an exchange between the GIDs of two addresses, at the server and at the client.

    An empty address stands for the side's own.
    """
    port = next(_ports)
    commands = [
        f"ibv_{kind}_pingpong -e -n 50 -p {port} -d {side.device} -g {side.gid_index(address)}"
        for side, address in zip((server, client), addresses)
    ]
    served = server.start(commands[0])
    wait_listening(server, port, served)
    asked = client.start(f"{commands[1]} {server.ip}")
    # A program that cannot name the other one gives up, and nobody answers the one that is left.
    if not asked.wait(PATIENCE).ok and not served.done:
        served.kill()
    return [served.wait(PATIENCE), asked.wait(PATIENCE)]


class Addressing(HostTest):
    @classmethod
    def prepare(cls) -> None:
        vms = {
            1: 'network = "red"',
            2: 'network = "blue"',
            3: 'network = "blue"\ngids = ["10.77.0.0/24", "10.9.0.0/24"]',
        }
        cls.host.serve((1, 2, 3), peers=(), vms=vms)
        # Guests boot one after the other: a third on the one processor slows the first two too
        # much.
        for number in (1, 2, 3):
            cls.host.boot((number,))

    @property
    def red(self) -> Guest:
        return self.host.guests[0]

    @property
    def blue(self) -> Guest:
        return self.host.guests[1]

    @property
    def bound(self) -> Guest:
        """The guest that is in the blue network too, and bound to some addresses."""
        return self.host.guests[2]

    def assert_meet(
        self, server: Side, client: Side, addresses: tuple[str, str] = ("", "")
    ) -> None:
        for outcome in pingpong(server, client, addresses):
            self.assertTrue(outcome.ok, outcome.output)

    def test_1_guests_of_one_network_meet(self) -> None:
        self.assert_meet(self.blue, self.bound)

    def test_2_guests_of_another_network_are_unknown(self) -> None:
        # The server is the first to learn the other one's address.
        no_rtr = "Failed to modify QP to RTR"
        for kind, complaint in (("rc", no_rtr), ("uc", no_rtr), ("ud", "Failed to create AH")):
            with self.subTest("the verb fails", kind=kind):
                outcome = pingpong(self.red, self.blue, kind=kind)[0]
                self.assertFalse(outcome.ok)
                self.assertIn(complaint, outcome.output)
        with self.subTest("the log names guest, peer and what to configure"):
            log = self.host.daemon.log()
            self.assertIn(f"a: no path from {self.red.ip} to {self.blue.ip}", log)
            self.assertIn(f'add a [[peer]] with gid = "{self.blue.ip}" and network = "red"', log)
            self.assertIn("the verb gets 'Network is unreachable'", log)

    def test_3_two_networks_can_have_one_address(self) -> None:
        for guest in (self.red, self.blue):
            give_address(guest, "10.77.0.50")
        self.assert_meet(self.red, self.red, ("10.77.0.50", ""))
        self.assert_meet(self.blue, self.bound, ("10.77.0.50", ""))

    def test_4_the_first_guest_keeps_an_address(self) -> None:
        give_address(self.blue, "10.77.0.60")
        give_address(self.bound, "10.77.0.60")
        self.assert_meet(self.blue, self.bound, ("10.77.0.60", ""))
        self.assertFalse(pingpong(self.blue, self.bound, ("", "10.77.0.60"))[1].ok)
        self.assertIn("c: the address 10.77.0.60 belongs to the guest 'b'", self.host.daemon.log())
        self.blue.must("ip address del 10.77.0.60/32 dev eth0")
        with self.subTest("until it lets go"):
            gids = "/sys/class/infiniband/vrdma0/ports/1/gids"
            self.blue.must(f"while grep -q ffff:0a4d:003c {gids}/*; do sleep 0.05; done")
            self.assert_meet(self.blue, self.bound, ("", "10.77.0.60"))

    def test_5_a_guest_has_only_the_gids_that_it_may(self) -> None:
        self.bound.must("ip address add 192.0.2.1/32 dev eth0")
        self.bound.must("until dmesg | grep -q 'GID add failed'; do sleep 0.05; done")
        self.assertNotIn(
            "c000:0201", self.bound.must("cat /sys/class/infiniband/vrdma0/ports/1/gids/*")
        )
        self.assertIn(
            "c: the address 192.0.2.1 is not among the 'gids' of its [[vm]]", self.host.daemon.log()
        )

    def test_6_an_address_is_announced_while_the_guest_runs(self) -> None:
        native = self.host.native
        native.must(f"ip address add 10.9.0.70/32 dev {self.host.network.underlay}")
        try:
            give_address(self.red, "10.9.0.70")
            self.assert_meet(self.red, native, ("10.9.0.70", native.underlay))
            self.assert_meet(native, self.red, (native.underlay, "10.9.0.70"))
        finally:
            native.must(f"ip address del 10.9.0.70/32 dev {self.host.network.underlay}")

    @classmethod
    def tearDownClass(cls) -> None:
        for side in (*cls.host.guests, cls.host.native):
            assert side.complaints() == "", side.complaints()


class Refusals(HostTest):
    """vrdmad ends at its start with a sentence."""

    def refusal(self, toml: str = "", before: tuple[str, ...] = ()) -> str:
        command = [*before, str(paths.daemon()), "--check"]
        command += ["--rnic", self.host.device, "--vm", "socket=/run/refused.sock"]
        if toml:
            config = self.host.folder / "refused.toml"
            config.write_text(toml)
            command += ["--config", str(config)]
        done = run_to_end(command, PATIENCE)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr

    def test_a_gid_index_that_is_empty(self) -> None:
        message = self.refusal("[rnic]\ngid_index = 250\n")
        self.assertRegex(
            message, r"gid_index 250 is no RoCE v2 GID .*; there are: .*\(10\.9\.0\.\d+\)"
        )

    def test_a_port_that_is_not_there(self) -> None:
        self.assertIn("there is no port 7, the RNIC has 1", self.refusal("[rnic]\nport = 7\n"))

    def test_no_permission(self) -> None:
        device = uverbs_of(self.host.device)
        mode = device.stat().st_mode & 0o777
        device.chmod(0o600)
        try:
            message = self.refusal(before=("setpriv", "--reuid", "65534", "--clear-groups"))
        finally:
            device.chmod(mode)
        self.assertIn(
            f"{device}: Permission denied; it belongs to user 0, group 0, with mode 0600", message
        )


if __name__ == "__main__":
    main()
