# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base class of the tests with librdmacm: its programs, and files that it copies."""

from __future__ import annotations

import itertools
import unittest
from collections.abc import Callable
from operator import attrgetter

from support_py.exchange import PATIENCE
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job, Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import rping
from vrdma_lab.programs.rdmacm import PROGRAMS, Program, wait_listener
from vrdma_lab.test_form import is_long
from vrdma_lab.vm.guest import GuestOptions

FIRST_PORT = 21000
MULTICAST = "239.255.7.7"
FILE_MIB = 100 if is_long() else 16
# Each end of rcopy holds its file in memory.
GUESTS = GuestOptions(memory_mib=512 if is_long() else 256)


class RdmaCmTest(unittest.TestCase):
    """A class of tests may say which side's kernel has a side's listeners."""

    cm_ports = itertools.count(FIRST_PORT)
    programs: tuple[Program, ...] = PROGRAMS

    def listens(self, server: Side) -> Side:
        return server

    def addresses(self, server: Side, client: Side, program: Program) -> tuple[str, str]:
        """The server's address and the client's own."""
        return server.address_towards(client), client.address_towards(server)

    def connect(
        self,
        server: Side,
        server_command: str,
        client: Side,
        client_command: str,
        port: int,
        succeeded: Callable[[Outcome], bool] = attrgetter("ok"),
    ) -> tuple[Job, Outcome]:
        """Starts a server and runs a client, which must succeed."""
        serving = server.start(f"{LINE_BUFFERED} {server_command}")
        wait_listener(self.listens(server), port, serving)
        outcome = client.run(f"{LINE_BUFFERED} {client_command}", PATIENCE)
        if not succeeded(outcome):
            serving.kill()
        self.assertTrue(
            succeeded(outcome),
            f"{client_command}:\n{outcome.output}\n{server_command}:\n{serving.output}",
        )
        return serving, outcome

    def run_program(self, program: Program, server: Side, client: Side) -> Outcome:
        address, own = self.addresses(server, client, program)
        port = program.port or next(self.cm_ports)
        values = {"address": address, "own": own, "port": port}
        command = program.server.format(**values)
        serving, outcome = self.connect(
            server, command, client, program.client.format(**values), port, program.succeeded
        )
        self.assertIn(program.says, outcome.output)
        # Programs print these words for events that they did not ask for.
        self.assertNotRegex(
            rping.without_late_reader(outcome.output),
            r"RDMA_CM_EVENT_\w*(ERROR|REJECTED|UNREACHABLE)|[Ff]ailed|failure",
        )
        served = serving.wait(PATIENCE) if program.server_ends else serving.kill()
        self.assertTrue(
            program.succeeded(served) or not program.server_ends, f"{command}:\n{served.output}"
        )
        return outcome

    def suits(self, program: Program, server: Side, client: Side) -> bool:
        """Whether a program can run between these sides at all."""
        return True

    def run_programs(self, server: Side, client: Side) -> None:
        for program in self.programs:
            if not self.suits(program, server, client):
                continue
            with self.subTest(program.name, server=server.name, client=client.name):
                self.run_program(program, server, client)

    def copy(self, server: Side, client: Side) -> str:
        """Copies a file of which no two parts are the same; the program's last line."""
        port = next(self.cm_ports)
        address = server.address_towards(client)
        made = client.must(
            "dd if=/dev/urandom of=/tmp/part bs=1M count=1 2> /dev/null; "
            f"for i in $(seq {FILE_MIB}); do echo $i; cat /tmp/part; done | "
            f"head -c {FILE_MIB << 20} > /tmp/source; "
            "rm /tmp/part; md5sum < /tmp/source",
            PATIENCE,
        )
        serving, outcome = self.connect(
            server,
            f"rcopy -p {port}",
            client,
            f"rcopy /tmp/source {address}:/tmp/target -p {port}",
            port,
        )
        copied = server.must("md5sum < /tmp/target", PATIENCE)
        serving.kill()
        client.must("rm /tmp/source")
        server.must("rm /tmp/target")
        self.assertIn("done", outcome.output)
        self.assertEqual(copied, made)
        return outcome.output.strip().splitlines()[-1]

    def multicast(self, receiver: Side, sender: Side) -> None:
        """Sends to a multicast group once the receiver has joined."""
        receiving = receiver.start(
            f"{LINE_BUFFERED} mckey -m {MULTICAST} -b {receiver.address_towards(sender)} -C 5"
        )
        receiving.wait_for("receiving data transfers", PATIENCE)
        sent = sender.run(
            f"mckey -s -m {MULTICAST} -b {sender.address_towards(receiver)} -C 5", PATIENCE
        )
        received = receiving.wait(PATIENCE)
        for output in (sent.output, received.output):
            self.assertIn("return status 0", output)
            self.assertNotIn("MULTICAST_ERROR", output)

    def assert_rejected(self, server: Side, client: Side) -> None:
        """A client is told that nobody listens."""
        command = f"rping -c -a {server.address_towards(client)} -p {next(self.cm_ports)} -C 1"
        with self.subTest(server=server.name, client=client.name):
            outcome = client.run(command, PATIENCE)
            self.assertFalse(outcome.ok)
            self.assertIn("RDMA_CM_EVENT_REJECTED", outcome.output)

    def assert_no_datagram_rsockets(self, side: Side) -> None:
        """udpong fails wherever RoCE is.

        An rsocket's address handle has no GRH, and CREATE_AH gets EINVAL.
        """
        address = side.address_towards(side)
        serving = side.start(f"udpong -b {address}")
        with self.subTest("udpong", side=side.name):
            outcome = side.run(f"udpong -s {address} -T b -C 3", PATIENCE)
            self.assertIn("rconnect: No such file or directory", outcome.output)
        serving.kill()
