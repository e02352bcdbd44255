# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""siw, the kernel's iWARP in software.

It is another RNIC under the same drivers, and makes connections for guests.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from support_py import consumers as consumers_test
from support_py import registration
from support_py.exchange import say
from support_py.suite import PATIENCE, GuestsTest, long_form_only, main
from vrdma_lab.host.counters import rdma_resources, wait_resources
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job, Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import rping
from vrdma_lab.programs.traffic import wait_listening
from vrdma_lab.vm.guest import Guest

RNIC = "siw"
PORT = 21000
ATTEMPTS = 3
BETWEEN_LISTENERS = "Failed to connect RDMA CM events.\nERRNO: Connection refused."

# The exchanges that siw does natively; it has no atomic operations.
PERFTEST = tuple(
    f"ib_{verb}_{what}" for verb in ("send", "write", "read") for what in ("lat", "bw")
)


_LENGTHS = ("half of the address space", "all but a byte", "2^44 bytes", "2^47 bytes")


class Siw(GuestsTest, consumers_test.ConsumersTest, registration.RegistrationTest):
    modules = consumers_test.CONSUMERS
    ports = iter(range(PORT, PORT + 1000))

    # Linux 6.1's siw pins memory by code of its own (siw_umem_get()), where rxe and the guest's
    # driver have the core's.  So the errno of lengths that no memory has is another, and siw takes
    # the length of all but a byte, whose number of pages it computes as 0.
    different = (
        registration.DIFFERENT
        | dict.fromkeys(
            (
                f"{what}{zero_based}"
                for what in _LENGTHS
                for zero_based in ("", ", zero based")
            ),
            "Invalid argument",
        )
        | dict.fromkeys(
            ("around the end of the address space", "one byte at the last address"),
            "Invalid argument",
        )
        | dict.fromkeys(
            (
                "no bytes, unaligned, behind the mapping",
                "no bytes, unaligned, behind the mapping, zero based",
            ),
            "Bad address",
        )
    )

    # There is one guest, because rds_rdma listens at a port of its own, and guests that share an
    # address share its ports.
    def consumers_guests(self) -> list[Guest]:
        return [self.a]

    def traffic(self) -> None:
        self.rping(self.b, self.a)

    def wait_device(self, guest: Guest) -> None:
        # GIDs of iWARP are no addresses.
        guest.must(
            "until ibv_devinfo -d vrdma0 2> /dev/null | grep -q PORT_ACTIVE; do usleep 50000; done",
            PATIENCE,
        )

    def wait_listening(self, server: Side, client: Side, port: int, serving: Job) -> None:
        """Waits until the host's kernel, which has the sockets, has those of a server.

        A guest that listens at any address has one for each underlay GID of its addresses.
        """
        native = self.host.native
        if server.native:
            wait_listening(native, port, serving)
            return
        via = server.underlay if client.native else native.underlay
        address = "".join(f"{int(byte):02X}" for byte in reversed(via.split(".")))
        listening = f"{address}:{port:04X} 00000000:0000 0A "
        waiting = native.start(f"until grep -q '{listening}' /proc/net/tcp; do sleep 0.01; done")
        if not waiting.wait_or(serving, PATIENCE):
            waiting.kill()

    def connect(
        self,
        server: Side,
        server_command: str,
        client: Side,
        client_command: str,
        port: int,
        refused: str = "",
        succeeded: Callable[[Outcome], bool] = attrgetter("ok"),
    ) -> Outcome | None:
        """Runs a server and its client to their ends.

        The result is None if the client's output has `refused`.
        """
        serving = server.start(server_command)
        self.wait_listening(server, client, port, serving)
        outcome = client.run(client_command, PATIENCE)
        passed = succeeded(outcome)
        if not passed:
            serving.kill()
        if not passed and refused and refused in outcome.output:
            return None
        self.assertTrue(
            passed, f"{client_command}:\n{outcome.output}\n{server_command}:\n{serving.output}"
        )
        served = serving.wait(PATIENCE)
        self.assertTrue(succeeded(served), f"{server_command}:\n{served.output}")
        return outcome

    def rping(self, server: Side, client: Side) -> None:
        """Sends, RDMA READs and RDMA WRITEs, with the data verified."""
        port = next(self.ports)
        address = server.address_towards(client)
        options = f"-a {address} -p {port} -C 10 -S 4000 -v -V"
        self.connect(
            server,
            f"rping -s {options}",
            client,
            f"rping -c {options}",
            port,
            succeeded=lambda end: rping.succeeded(end, 10),
        )

    def perftest(self, server: Side, client: Side) -> None:
        for program in PERFTEST:
            with self.subTest(program, server=server.name, client=client.name):
                self.perftest_program(program, server, client)

    def perftest_program(self, program: str, server: Side, client: Side) -> None:
        """A run by perftest with -R, which may be repeated; the output says so then.

        The server ends one listener and begins another between its two connections, and its client
        may come in between, natively as well (perftest 4.5; later ones try again).
        """
        for attempt in range(1, ATTEMPTS + 1):
            port = next(self.ports)
            command = f"{program} -F -R -p {port} -n 100 -s 4096 -d"
            outcome = self.connect(
                server,
                f"{command} {server.device}",
                client,
                f"{command} {client.device} {server.address_towards(client)}",
                port,
                BETWEEN_LISTENERS if attempt < ATTEMPTS else "",
            )
            if outcome is not None:
                return
            say(
                f"    repeated: {program}, {client.name} to {server.name}, "
                "was refused between perftest's two listeners"
            )

    def test_the_guest_sees_an_iwarp_device(self) -> None:
        output = self.a.must("ibv_devinfo -v -d vrdma0")
        self.assertRegex(output, r"transport:\s+iWARP")
        self.assertRegex(output, r"state:\s+PORT_ACTIVE")

    def test_the_guest_makes_queues_and_regions_by_the_distributions_provider(self) -> None:
        program = self.a.start(f"exec env {LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0")
        # The program has a protection domain, a region, a CQ and a queue pair in the state INIT by
        # then.
        program.wait_for("local address")
        maps = self.a.must("cat /proc/$(pidof ibv_rc_pingpong)/maps")
        status = self.host.daemon.status()
        program.kill()
        self.assertRegex(maps, r"/libibverbs/libsiw-rdmav\d+\.so")
        for kind, count in {"queue_pairs": 1, "memory_regions": 1, "completion_queues": 1}.items():
            self.assertEqual(status["vms"][0]["objects"][kind], count, kind)
        self.host.daemon.wait_status(
            lambda now: not any(now["vms"][0]["objects"].values()), "the guest holds nothing"
        )

    def test_a_queue_pair_without_a_connection_is_refused_as_on_the_host(self) -> None:
        for side in (self.host.native, self.a):
            with self.subTest(side=side.name):
                command = f"ibv_rc_pingpong -e -d {side.device} -p {PORT - 1}"
                server = side.start(command)
                wait_listening(side, PORT - 1, server)
                outcome = side.run(f"{command} {side.ip}", PATIENCE)
                self.assertRegex(
                    outcome.output + server.wait(PATIENCE).output, "Failed to modify QP to RT[RS]"
                )

    @long_form_only
    def test_rping_of_the_host_with_itself(self) -> None:
        self.rping(self.host.native, self.host.native)

    def test_rping_from_a_guest_to_the_host(self) -> None:
        self.rping(self.host.native, self.a)

    def test_rping_from_the_host_to_a_guest(self) -> None:
        self.rping(self.a, self.host.native)

    def test_rping_from_guest_to_guest(self) -> None:
        self.rping(self.b, self.a)

    @long_form_only
    def test_rping_of_a_guest_with_itself(self) -> None:
        self.rping(self.a, self.a)

    @long_form_only
    def test_perftest_of_the_host_with_itself(self) -> None:
        self.perftest(self.host.native, self.host.native)

    @long_form_only
    def test_perftest_from_a_guest_to_the_host(self) -> None:
        self.perftest(self.host.native, self.a)

    @long_form_only
    def test_perftest_from_the_host_to_a_guest(self) -> None:
        self.perftest(self.a, self.host.native)

    def test_perftest_from_guest_to_guest(self) -> None:
        self.perftest(self.b, self.a)

    def test_nobody_listening_is_a_rejection(self) -> None:
        for server in (self.host.native, self.b, self.a):
            with self.subTest(server=server.name):
                address = server.address_towards(self.a)
                outcome = self.a.run(f"rping -c -a {address} -p {next(self.ports)} -C 1", PATIENCE)
                self.assertIn("RDMA_CM_EVENT_REJECTED, error -111", outcome.output)

    def test_programs_that_are_killed_leave_nothing(self) -> None:
        a, b, native = self.a, self.b, self.host.native
        for server, client, victim in ((b, a, a), (native, a, a), (b, a, b)):
            with self.subTest(server=server.name, client=client.name, victim=victim.name):
                idle = rdma_resources(self.host.device)
                port = next(self.ports)
                options = f"-a {server.address_towards(client)} -p {port} -v"
                # Without a count the program goes on for ever.
                serving = server.start(f"exec env {LINE_BUFFERED} rping -s {options}")
                self.wait_listening(server, client, port, serving)
                asking = client.start(f"exec env {LINE_BUFFERED} rping -c {options}")
                serving.wait_for("server ping data: rdma-ping-3", PATIENCE)
                killed, survivor = (asking, serving) if victim is client else (serving, asking)
                killed.kill()
                self.assertIn("DISCONNECT EVENT", survivor.wait(PATIENCE).output)
                wait_resources(
                    self.host.device, lambda now: now == idle, f"the RNIC has {idle}", PATIENCE
                )

    @classmethod
    def tearDownClass(cls) -> None:
        for side in cls.host.guests:
            assert side.complaints() == "", side.complaints()


if __name__ == "__main__":
    main()
