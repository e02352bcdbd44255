# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The kernel's own verbs.

RDMA's connection manager runs in the guests, over QP 1 of the embedded RNIC.
"""

from __future__ import annotations

from itertools import count

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job
from vrdma_lab.programs import rping
from vrdma_lab.vm.guest import Guest


class KernelVerbs(LabTest):
    ports = count(7471)

    def listen(self, server: Guest, options: str) -> tuple[Job, int]:
        port = next(self.ports)
        job = server.start(f"{LINE_BUFFERED} rping -s -d -a {server.ip} -p {port} {options}")
        job.wait_for("rdma_listen")
        return job, port

    def rping(self, server: Guest, client: Guest) -> None:
        """Sends, RDMA READs and RDMA WRITEs, with the data verified."""
        job, port = self.listen(server, "-C 10 -S 4000 -V -v")
        outcome = client.run(f"rping -c -a {server.ip} -p {port} -C 10 -S 4000 -v -V", PATIENCE)
        self.assertTrue(rping.succeeded(outcome, 10), outcome.output)
        self.assertTrue(rping.succeeded(job.wait(PATIENCE), 10), job.output)

    def test_a_connection_from_guest_to_guest(self) -> None:
        a, b = self.lab.guests
        self.rping(b, a)
        self.rping(a, b)

    def test_a_connection_of_a_guest_with_itself(self) -> None:
        a = self.lab.guests[0]
        self.rping(a, a)

    def test_nobody_listening_is_a_rejection(self) -> None:
        a, b = self.lab.guests
        outcome = a.run(f"rping -c -a {b.ip} -p {next(self.ports)} -C 1", PATIENCE)
        self.assertFalse(outcome.ok)
        self.assertIn("RDMA_CM_EVENT_REJECTED", outcome.output)

    def test_the_driver_goes_from_under_the_connection_manager_and_comes_back(self) -> None:
        a, b = self.lab.guests
        server, port = self.listen(a, "-v")
        client = b.start(f"{LINE_BUFFERED} rping -c -a {a.ip} -p {port} -v")
        server.wait_for("rdma-ping-3", PATIENCE)
        # The program is left out, because it cannot be persuaded to let its device go.
        server.kill()
        a.must("rmmod vrdma", PATIENCE)
        client.wait(PATIENCE)
        a.must("insmod /lib/modules/vrdma.ko")
        a.wait_device()
        self.rping(a, b)
        self.rping(b, a)

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
