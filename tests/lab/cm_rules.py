# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The rules for guests' librdmacm on the host's connection manager.

They say where it listens, whom it reaches, and what it leaves.
"""

from __future__ import annotations

import re

from support_py.suite import PATIENCE, GuestsTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import rping

UNSPECIFIED, SHARED, ANNOUNCED, REFUSED, KILLED, REMOVED = range(23000, 23006)


class CmRules(GuestsTest):
    @classmethod
    def prepare(cls) -> None:
        # The suite "announced" has machines with addresses of their own.
        cls.host.serve((1, 2), announce="off")
        cls.host.boot((1, 2))

    def listeners(self, port: int) -> set[str]:
        """The addresses of the underlay at which somebody listens."""
        ids = self.host.native.must("rdma resource show cm_id")
        return set(re.findall(rf"state LISTEN .*src-addr (\S+):{port} ", ids))

    def listen(self, side: Side, options: str, port: int) -> Job:
        """A server, once it listens."""
        serving = side.start(f"exec env {LINE_BUFFERED} rping -s -V -p {port} {options}")
        waiting = self.host.native.start(
            f"until rdma resource show cm_id | grep -q 'LISTEN .*:{port} '; do sleep 0.02; done"
        )
        if not waiting.wait_or(serving, PATIENCE):
            waiting.kill()
            self.fail(f"{options}: {serving.output}")
        return serving

    def assert_refused(self, command: str, reason: str) -> None:
        outcome = self.a.run(command, PATIENCE)
        self.assertFalse(outcome.ok, outcome.output)
        self.assertIn(reason, outcome.output)

    def test_1_an_unspecified_address_is_the_guests_not_the_hosts(self) -> None:
        serving = self.listen(self.b, "-C 3 -v", UNSPECIFIED)
        with self.subTest("the underlay GIDs of the guest's two addresses"):
            self.assertEqual(
                self.listeners(UNSPECIFIED), {self.host.native.underlay, self.b.underlay}
            )
        for client in (self.a, self.host.native):
            with self.subTest("it can be reached", client=client.name):
                if serving.done:
                    serving = self.listen(self.b, "-C 3 -v", UNSPECIFIED)
                address = self.b.address_towards(client)
                outcome = client.run(
                    f"rping -c -C 3 -V -v -p {UNSPECIFIED} -a {address}", PATIENCE
                )
                self.assertTrue(rping.succeeded(outcome, 3), outcome.output + serving.output)
                self.assertTrue(rping.succeeded(serving.wait(PATIENCE), 3), serving.output)

    def test_2_guests_without_an_announced_address_share_ports(self) -> None:
        serving = self.listen(self.b, "-C 1", SHARED)
        with self.subTest("the first one has it"):
            self.assert_refused(f"rping -s -C 1 -p {SHARED}", "Address already in use")
        with self.subTest("but for announced addresses"):
            ours = self.a.start(f"exec rping -s -v -C 1 -p {SHARED} -a {self.a.underlay}")
            client = self.host.native.start(
                f"until rdma resource show cm_id | grep -q '{self.a.underlay}:{SHARED} '; "
                "do sleep 0.02; done; "
                f"exec rping -c -v -C 1 -p {SHARED} -a {self.a.underlay}"
            )
            asked = client.wait(PATIENCE)
            self.assertTrue(rping.succeeded(asked, 1), asked.output + ours.output)
            self.assertTrue(rping.succeeded(ours.wait(PATIENCE), 1), ours.output)
        serving.kill()

    def test_3_what_the_rules_do_not_give_is_refused(self) -> None:
        for command, reason in (
            (f"rping -s -p 700 -a {self.a.ip}", "Permission denied"),
            (f"rping -s -p {REFUSED} -a {self.b.underlay}", "Cannot assign requested address"),
            (
                f"rping -s -p {REFUSED} -a {self.host.native.underlay}",
                "Cannot assign requested address",
            ),
            (f"rping -c -p {REFUSED} -a 192.0.2.1", "Network is unreachable"),
        ):
            with self.subTest(command):
                self.assert_refused(command, reason)

    def test_4_a_program_that_is_killed_leaves_nothing(self) -> None:
        serving = self.listen(self.b, "-P -S 100", KILLED)
        client = self.a.start(
            f"exec env {LINE_BUFFERED} rping -c -v -S 100 -p {KILLED} -a {self.b.ip}"
        )
        client.wait_for("rdma-ping-1:", PATIENCE)
        client.kill()
        serving.kill()
        self.host.daemon.wait_status(
            lambda status: not any(
                count for vm in status["vms"] for count in vm["objects"].values()
            ),
            "the daemon holds nothing for its guests",
            PATIENCE,
        )
        self.assertNotIn("vrdmad", self.host.native.must("rdma resource show cm_id"))

    def test_5_the_rnic_can_be_removed_under_listeners_and_connections(self) -> None:
        serving = self.listen(self.b, "-P -S 100", REMOVED)
        client = self.a.start(
            f"exec env {LINE_BUFFERED} rping -c -v -S 100 -p {REMOVED} -a {self.b.ip}"
        )
        client.wait_for("rdma-ping-1:", PATIENCE)
        removal = self.host.native.start(f"rdma link delete {self.host.device}")
        self.assertTrue(removal.wait(PATIENCE).ok, removal.output)
        with self.subTest("the programs learn of it"):
            self.assertFalse(client.wait(PATIENCE).ok)
            self.assertFalse(serving.wait(PATIENCE).ok)
            self.assertIn("detected device removal", serving.output)
        for side in (self.a, self.b, self.host.native):
            with self.subTest("nobody's kernel complains", side=side.name):
                self.assertEqual(side.complaints(), "")


if __name__ == "__main__":
    main()
