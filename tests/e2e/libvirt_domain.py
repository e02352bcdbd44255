# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A real libvirtd starts the domain of docs/libvirt.md, and RDMA runs in it."""

from __future__ import annotations

from support_py.e2e import PATIENCE
from support_py.libvirt_test import ADDRESS, NAME, LibvirtTest, main_as_root


class LibvirtDomain(LibvirtTest):
    def test_the_documented_domain_runs_rdma(self) -> None:
        self.define(self.domain_for_here())
        self.virsh("start", NAME)
        self.assertEqual(self.virsh("domstate", NAME).strip(), "running")

        channel = self.channel()
        self.wait_rdma(channel)
        entry = rf".*GID\[ *\([0-9]*\)\].*::ffff:{ADDRESS}, RoCE v2"
        index = f"index=$(ibv_devinfo -v -d vrdma0 | sed -n 's/{entry}/\\1/p'); "
        for kind in ("rc", "ud"):
            server = channel.start(
                f"{index} ibv_{kind}_pingpong -e -c -s 1024 -n 100 -d vrdma0 -g $index"
            )
            listening = channel.start(
                "until grep -q ':4853 .* 0A ' /proc/net/tcp /proc/net/tcp6; do usleep 10000; done"
            )
            self.assertTrue(listening.wait_or(server), server.output)
            client = channel.start(
                f"{index} ibv_{kind}_pingpong -e -c -s 1024 -n 100 -d vrdma0 -g $index {ADDRESS}"
            )
            outcome = client.wait(PATIENCE)
            self.assertEqual(outcome.status, 0, outcome.output + server.output)
            self.assertIn("usec/iter", outcome.output)
            self.assertEqual(server.wait().status, 0, server.output)

        self.virsh("destroy", NAME)
        self.virsh("undefine", NAME)
        self.assert_objects_gone()


if __name__ == "__main__":
    main_as_root("libvirt_domain")
