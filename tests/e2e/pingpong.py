# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""libibverbs' ping-pong programs, polling and with completion events, data checked."""

from __future__ import annotations

from support_py.e2e import LabTest, main
from vrdma_lab.programs.traffic import Exchange
from vrdma_lab.vm.guest import Guest

KINDS = ("rc", "uc", "ud", "srq")


class Pingpong(LabTest):
    def all_kinds(
        self, server: Guest, client: Guest, polling_iterations: int, options: tuple[str, ...]
    ) -> None:
        for kind in KINDS:
            # A datagram has to fit into one packet.
            size = 1024 if kind == "ud" else 4096
            self.exchange(
                server,
                client,
                Exchange(f"ibv_{kind}_pingpong", size, polling_iterations, ("-c", *options)),
            )

    def test_from_guest_to_guest_polling(self) -> None:
        self.all_kinds(self.lab.guests[1], self.lab.guests[0], 200, ())

    def test_from_guest_to_guest_with_events(self) -> None:
        self.all_kinds(self.lab.guests[1], self.lab.guests[0], 200, ("-e",))

    def test_in_the_other_direction(self) -> None:
        self.all_kinds(self.lab.guests[0], self.lab.guests[1], 100, ("-e",))

    # Two pollers on one processor take turns by time slices, so that there are few iterations.
    def test_of_each_guest_with_itself_polling(self) -> None:
        for guest in self.lab.guests:
            self.all_kinds(guest, guest, 20, ())

    def test_of_each_guest_with_itself_with_events(self) -> None:
        for guest in self.lab.guests:
            self.all_kinds(guest, guest, 100, ("-e",))

    def test_a_large_message(self) -> None:
        self.exchange(
            self.lab.guests[1],
            self.lab.guests[0],
            Exchange("ibv_rc_pingpong", 1 << 20, 20, ("-c", "-m", "4096")),
        )


if __name__ == "__main__":
    main()
