# SPDX-License-Identifier: Apache-2.0
"""perftest's latency and bandwidth programs over all transports that each has, from 2 bytes to 1 MiB."""

from __future__ import annotations

from support import LabTest, main
from vrdma_lab.guest import Guest
from vrdma_lab.traffic import Exchange

SIZES = (2, 64, 1024, 4096, 65536, 1 << 20)
# Transports besides RC.
TRANSPORTS = {"send": ("RC", "UC", "UD"), "write": ("RC", "UC"), "read": ("RC",)}
LARGEST_DATAGRAM = 1024


def iterations(what: str, size: int) -> int:
    if what == "lat":
        return 100 if size <= 4096 else 20
    return 500 if size <= 4096 else 100 if size <= 65536 else 20


class Perftest(LabTest):
    def all_sizes(self, server: Guest, client: Guest, what: str, sizes: tuple[int, ...], divisor: int = 1) -> None:
        for verb, transports in TRANSPORTS.items():
            for transport in transports:
                for size in sizes:
                    if transport == "UD" and size > LARGEST_DATAGRAM:
                        continue
                    count = max(iterations(what, size) // divisor, 5)
                    self.exchange(server, client, Exchange(f"ib_{verb}_{what}", size, count, ("-c", transport)))
        self.exchange(server, client, Exchange(f"ib_atomic_{what}", 8, max(100 // divisor, 5)))

    def test_latency_from_guest_to_guest(self) -> None:
        self.all_sizes(self.lab.guests[1], self.lab.guests[0], "lat", SIZES)

    def test_bandwidth_from_guest_to_guest(self) -> None:
        self.all_sizes(self.lab.guests[1], self.lab.guests[0], "bw", SIZES)

    def test_compare_and_swap(self) -> None:
        exchange = Exchange("ib_atomic_bw", 8, 100, ("-A", "CMP_AND_SWAP"))
        self.exchange(self.lab.guests[1], self.lab.guests[0], exchange)

    def test_bandwidth_in_both_directions_at_once(self) -> None:
        for verb in TRANSPORTS:
            self.exchange(self.lab.guests[1], self.lab.guests[0], Exchange(f"ib_{verb}_bw", 65536, 50, ("-b",)))

    def test_many_queue_pairs_at_once(self) -> None:
        self.exchange(self.lab.guests[1], self.lab.guests[0], Exchange("ib_write_bw", 4096, 100, ("-q", "8")))

    # Both programs poll on one processor and take turns by time slices: few iterations.
    def test_latency_of_each_guest_with_itself(self) -> None:
        for guest in self.lab.guests:
            self.all_sizes(guest, guest, "lat", (2, 65536), divisor=10)

    def test_bandwidth_of_each_guest_with_itself(self) -> None:
        for guest in self.lab.guests:
            self.all_sizes(guest, guest, "bw", (2, 65536), divisor=5)


if __name__ == "__main__":
    main()
