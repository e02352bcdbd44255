# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""REREG_MR, which rxe's library never asks for."""

from __future__ import annotations

from support_py.e2e import LabTest, main
from support_py.guest_program import send_program


class Reregister(LabTest):
    guest_count = 1

    def test_a_region_changes_its_rights_its_memory_and_its_domain(self) -> None:
        guest = self.lab.guests[0]
        send_program(guest, "reregister", ("ibverbs",))
        self.assertEqual(guest.must(f"/tmp/reregister {guest.gid_index()}"), "ok\n")


if __name__ == "__main__":
    main()
