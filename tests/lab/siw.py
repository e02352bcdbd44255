# SPDX-License-Identifier: Apache-2.0
"""siw, the kernel's iWARP in software: another RNIC under the same drivers."""

from __future__ import annotations

from support import PATIENCE, GuestsTest, main
from vrdma_lab.initramfs import LINE_BUFFERED
from vrdma_lab.traffic import wait_listening

RNIC = "siw"
PORT = 21000


class Siw(GuestsTest):
    def test_the_host_itself_writes_by_it(self) -> None:
        # iWARP's connections are made by the connection manager alone.
        native = self.host.native
        command = f"ib_write_bw -R -d {self.host.device} -p {PORT} -n 100"
        server = native.start(command)
        wait_listening(native, PORT, server)
        client = native.start(f"{command} {native.underlay}")
        self.assertTrue(client.wait(PATIENCE).ok, client.output)
        self.assertTrue(server.wait(PATIENCE).ok, server.output)

    def test_the_guest_sees_an_iwarp_device(self) -> None:
        output = self.a.must("ibv_devinfo -v -d vrdma0")
        self.assertRegex(output, r"transport:\s+iWARP")
        self.assertRegex(output, r"state:\s+PORT_ACTIVE")

    def test_the_guest_makes_queues_and_regions_by_the_distributions_provider(self) -> None:
        program = self.a.start(f"exec env {LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0")
        # It has a protection domain, a region, a CQ and a queue pair in the state INIT by then.
        program.wait_for("local address")
        maps = self.a.must("cat /proc/$(pidof ibv_rc_pingpong)/maps")
        status = self.host.daemon.status()
        program.kill()
        self.assertRegex(maps, r"/libibverbs/libsiw-rdmav\d+\.so")
        for kind, count in {"queue_pairs": 1, "memory_regions": 1, "completion_queues": 1}.items():
            self.assertEqual(status["vms"][0]["objects"][kind], count, kind)
        self.host.daemon.wait_status(lambda now: not any(now["vms"][0]["objects"].values()), "the guest holds nothing")

    def test_a_queue_pair_without_a_connection_is_refused_as_on_the_host(self) -> None:
        for side in (self.host.native, self.a):
            with self.subTest(side=side.name):
                command = f"ibv_rc_pingpong -e -d {side.device} -p {PORT + 1}"
                server = side.start(command)
                wait_listening(side, PORT + 1, server)
                outcome = side.run(f"{command} {side.ip}", PATIENCE)
                self.assertRegex(outcome.output + server.wait(PATIENCE).output, "Failed to modify QP to RT[RS]")


if __name__ == "__main__":
    main()
