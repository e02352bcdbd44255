# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Reliable connections between two models of a ConnectX, whose network loses and changes frames."""

from __future__ import annotations

from support_py.suite import HostTest, main, record
from vrdma_lab.host.remote_host import RemoteHost
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.traffic import Exchange

HOSTS = 2
RNIC = "mlx5-faulty"

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

    def survives(self, *exchanges: Exchange) -> None:
        """Both ways, each exchange comes to its end, although frames do not."""
        here, there = self.host.native, self.other.native
        ways: tuple[tuple[Side, Side], ...] = ((here, there), (there, here))
        before = self.counts()
        for server, client in ways:
            for exchange in exchanges:
                self.exchange(server, client, exchange)
        counts = {sign: count - before[sign] for sign, count in self.counts().items()}
        record(test=", ".join(exchange.title for exchange in exchanges), **counts)
        self.assertGreater(counts["out_of_sequence"], 0)
        self.assertGreater(counts["duplicate_request"], 0)

    def test_messages_arrive_whole_and_in_order(self) -> None:
        self.survives(Exchange("ibv_rc_pingpong", 16384, 200, ("-c", "-e")))

    def test_sends_and_writes(self) -> None:
        self.survives(
            Exchange("ib_send_bw", 16384, 200, ("-e",)), Exchange("ib_write_bw", 16384, 200)
        )

    def test_reads_and_atomics(self) -> None:
        self.survives(Exchange("ib_read_bw", 16384, 200), Exchange("ib_atomic_bw", 8, 1000))


if __name__ == "__main__":
    main()
