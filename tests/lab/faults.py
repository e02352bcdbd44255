# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Reliable connections between two models of a ConnectX, whose network loses and changes frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from support_py.suite import PATIENCE, HostTest, main, record
from vrdma_lab.host.remote_host import RemoteHost
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.traffic import Exchange, wait_listening

HOSTS = 2
RNIC = "mlx5-faulty"

_ports = itertools.count(24000)

# What the adapter counts when packets are lost, come late, or come twice.
_SIGNS = (
    "out_of_sequence",
    "duplicate_request",
    "packet_seq_err",
    "implied_nak_seq_err",
    "local_ack_timeout_err",
)


class Faults(HostTest):
    other: RemoteHost

    @classmethod
    def prepare(cls) -> None:
        cls.other = cls.enterClassContext(RemoteHost(2, cls.other_rnic))

    def counts(self) -> dict[str, int]:
        """The signs of faults that both adapters have counted."""
        files = [
            f"/sys/class/infiniband/{self.host.device}/ports/1/hw_counters/{sign}"
            for sign in _SIGNS
        ]
        sides = self.host.native, self.other.native
        texts = [side.must(f"cat {' '.join(files)}").split() for side in sides]
        return {
            sign: sum(int(text[number]) for text in texts) for number, sign in enumerate(_SIGNS)
        }

    def both_ways(self) -> tuple[tuple[Side, Side], ...]:
        """Server and client, each way."""
        here, there = self.host.native, self.other.native
        return (here, there), (there, here)

    @contextmanager
    def faults_counted(self, what: str) -> Iterator[None]:
        """Frames are lost and doubled meanwhile."""
        before = self.counts()
        yield
        counts = {sign: count - before[sign] for sign, count in self.counts().items()}
        record(test=what, **counts)
        self.assertGreater(counts["out_of_sequence"], 0)
        self.assertGreater(counts["duplicate_request"], 0)

    def survives(self, *exchanges: Exchange) -> None:
        """Both ways, each exchange comes to its end, although frames do not."""
        with self.faults_counted(", ".join(exchange.title for exchange in exchanges)):
            for server, client in self.both_ways():
                for exchange in exchanges:
                    self.exchange(server, client, exchange)

    def talk(self, server: Side, client: Side, program: str) -> tuple[Outcome, Outcome]:
        """How client, which has to end well, and server of a program of rdma-core's have ended."""
        port = next(_ports)
        command = f"exec {program} -p {port} -d {server.device}"
        serving = server.start(f"{command} -g {server.gid_index(server.underlay)}")
        wait_listening(server, port, serving)
        asked = client.run(
            f"{command} -g {client.gid_index(client.underlay)} {server.ip}", PATIENCE
        )
        if not asked.ok:
            serving.kill()
        self.assertTrue(asked.ok, asked.output)
        return asked, serving.wait(PATIENCE)

    def test_messages_arrive_whole_and_in_order(self) -> None:
        with self.faults_counted("ibv_rc_pingpong"):
            for server, client in self.both_ways():
                with self.subTest(server=server.name):
                    _, served = self.talk(server, client, "ibv_rc_pingpong -c -e -s 16384 -n 200")
                    # The client ends when it has the last message, which answers its own last one.
                    # That this message has arrived may be lost, and nobody is left to say it again.
                    if not served.ok:
                        self.assertIn("transport retry counter exceeded", served.output)

    def test_sends_and_writes(self) -> None:
        self.survives(
            Exchange("ib_send_bw", 16384, 200, ("-e",)), Exchange("ib_write_bw", 16384, 200)
        )

    def test_reads_and_atomics(self) -> None:
        self.survives(Exchange("ib_read_bw", 16384, 200), Exchange("ib_atomic_bw", 8, 1000))

    def test_requests_that_name_a_shared_receive_queue(self) -> None:
        """XRC, which the kernel's own RNICs do not have."""
        for server, client in self.both_ways():
            with self.subTest(server=server.name):
                for ended in self.talk(server, client, "ibv_xsrq_pingpong -e -c 1 -n 200"):
                    self.assertIn("success", ended.output)


if __name__ == "__main__":
    main()
