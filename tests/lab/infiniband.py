# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests on a port on InfiniBand: its LID, GIDs and partition keys are the host's.

Suite direct has the programs that meet by LID.
"""

from __future__ import annotations

import re

from support_py.suite import PATIENCE, GuestsTest, main
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import devinfo
from vrdma_lab.programs.traffic import Exchange

RNIC = "mlx5-ib"

KINDS = ("rc", "uc", "ud", "srq")
PORT = ("state", "max_mtu", "active_mtu", "sm_lid", "port_lid", "port_lmc", "link_layer")


class InfiniBand(GuestsTest):
    def entries(self, side: Side, table: str) -> list[str]:
        """A table of the port, up to its last entry in use."""
        folder = f"/sys/class/infiniband/{side.device}/ports/1/{table}"
        lines = side.must(f"cd {folder} && cat $(ls | sort -n)").splitlines()
        while lines and not re.search("[1-9a-f]", lines[-1].removeprefix("0x")):
            lines.pop()
        return lines

    def test_1_the_guests_port_is_the_hosts(self) -> None:
        native = devinfo.attributes(self.host.native.must(f"ibv_devinfo -d {self.host.device}"))
        guest = devinfo.attributes(self.a.must("ibv_devinfo -d vrdma0"))
        self.assertEqual(guest["link_layer"], "InfiniBand")
        for name in PORT:
            with self.subTest(attribute=name):
                self.assertEqual(guest[name], native[name])
        for table in ("gids", "pkeys"):
            with self.subTest(table=table):
                here = self.entries(self.host.native, table)
                self.assertTrue(here)
                self.assertEqual(self.entries(self.a, table), here)

    def test_2_it_has_no_netdev(self) -> None:
        self.assertNotIn("paired with", self.a.must("dmesg"))

    def test_3_programs_meet_by_gid(self) -> None:
        for kind in KINDS:
            exchange = Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e", "-g", "0"))
            self.exchange(self.b, self.a, exchange)

    def test_4_connections_are_refused_and_not_waited_for(self) -> None:
        outcome = self.a.run(f"rping -c -a {self.b.ip} -C 1 -v", PATIENCE)
        self.assertIn("RDMA_CM_EVENT_ADDR_ERROR", outcome.output)

    def test_5_a_guest_has_the_partition_keys_of_its_configuration_alone(self) -> None:
        self.host.daemon.child.stop()
        for guest in (self.a, self.b):
            guest.wait_registered(registered=False)
        self.host.serve((1, 2), vms={2: 'pkeys = ["0x8001"]'})
        for guest in (self.a, self.b):
            guest.wait_device()
        self.assertEqual(self.entries(self.a, "pkeys"), ["0xffff"])
        # The subnet manager has not given that key to the port.
        self.assertEqual(self.entries(self.b, "pkeys"), [])
        refused = self.b.run("ibv_rc_pingpong -d vrdma0", PATIENCE)
        self.assertIn("Failed to modify QP to INIT", refused.output)


if __name__ == "__main__":
    main()
