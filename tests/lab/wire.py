# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The model of a ConnectX on one host, and the kernel's rxe on another, without guests but in one
test. Each end has an implementation of RoCE v2 that knows nothing of the other's.
"""

from __future__ import annotations

import itertools

from support_py.suite import PATIENCE, HostTest, main
from vrdma_lab.host.rdma_host import BARE_METAL
from vrdma_lab.host.remote_host import RemoteHost
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import rping
from vrdma_lab.programs.rdmacm import wait_listener
from vrdma_lab.programs.traffic import Exchange, wait_listening

HOSTS = 2
RNIC = "mlx5"
OTHER_RNIC = "rxe"

_PINGS = 5
_GROUP = "239.1.1.1"
_GUEST = 1  # its number


class Wire(HostTest):
    other: RemoteHost
    ports = itertools.count(24000)

    @classmethod
    def prepare(cls) -> None:
        cls.other = cls.enterClassContext(RemoteHost(2, cls.other_rnic))

    def both_ways(self) -> tuple[tuple[Side, Side], ...]:
        """Server and client, each way."""
        here, there = self.host.native, self.other.native
        return (here, there), (there, here)

    def test_pingpongs(self) -> None:
        for server, client in self.both_ways():
            for kind in ("rc", "uc", "ud", "srq"):
                exchange = Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e"))
                self.exchange(server, client, exchange)

    def test_messages_of_many_packets(self) -> None:
        for server, client in self.both_ways():
            for kind in ("rc", "uc"):
                exchange = Exchange(f"ibv_{kind}_pingpong", 1 << 18, 10, ("-c", "-e"))
                self.exchange(server, client, exchange)

    def test_perftest_with_reliable_connections(self) -> None:
        for server, client in self.both_ways():
            for verb in ("send", "write", "read", "atomic"):
                size = 8 if verb == "atomic" else 4096
                # Each end takes its own RNIC's limit otherwise, and the ends differ.
                reads = ("-o", "16") if verb in ("read", "atomic") else ()
                self.exchange(server, client, Exchange(f"ib_{verb}_lat", 8, 50, reads))
                self.exchange(server, client, Exchange(f"ib_{verb}_bw", size, 200, reads))

    def test_perftest_with_other_services(self) -> None:
        for server, client in self.both_ways():
            for verb, service in (("send", "UC"), ("write", "UC"), ("send", "UD")):
                exchange = Exchange(f"ib_{verb}_lat", 512, 50, ("-c", service))
                self.exchange(server, client, exchange)

    def connect(self, server: Side, client: Side, host: Side) -> None:
        """The connection manager of `host` has the server's listeners."""
        port = next(self.ports)
        serving = server.start(f"exec rping -s -C {_PINGS} -v -p {port}")
        self.assertTrue(wait_listener(host, port, serving), serving.output)
        address = server.address_towards(client)
        outcome = client.run(f"rping -c -C {_PINGS} -V -v -p {port} -a {address}", PATIENCE)
        self.assertTrue(rping.succeeded(outcome, _PINGS), outcome.output + serving.output)
        self.assertTrue(rping.succeeded(serving.wait(PATIENCE), _PINGS), serving.output)

    def test_connections_by_the_manager(self) -> None:
        """Also the neighbours' addresses have to be found for that, by mlx5e's frames."""
        for server, client in self.both_ways():
            with self.subTest(server=server.name):
                self.connect(server, client, server)

    def test_with_a_guest_of_the_models_host(self) -> None:
        self.host.serve([_GUEST], peers=[BARE_METAL])
        guest = self.host.launch(_GUEST)
        guest.wait_booted()
        guest.wait_addresses()
        bare_metal = self.other.native
        for server, client in ((guest, bare_metal), (bare_metal, guest)):
            with self.subTest(server=server.name):
                for kind in ("rc", "uc", "srq"):
                    exchange = Exchange(f"ibv_{kind}_pingpong", 1024, 50, ("-c", "-e"))
                    self.exchange(server, client, exchange)
                for verb in ("send", "write", "read"):
                    reads = ("-o", "16") if verb == "read" else ()
                    self.exchange(server, client, Exchange(f"ib_{verb}_bw", 4096, 50, reads))
        self.connect(guest, bare_metal, self.host.native)
        self.connect(bare_metal, guest, bare_metal)

    def test_datagrams_to_a_group(self) -> None:
        for listener, speaker in self.both_ways():
            with self.subTest(listener=listener.name):
                command = f"exec env {LINE_BUFFERED} mckey -m {_GROUP} -C {_PINGS} -b "
                listening = listener.start(command + listener.underlay)
                listening.wait_for("joined dgid")
                spoken = speaker.run(f"{command}{speaker.underlay} -s", PATIENCE)
                self.assertTrue(spoken.ok, spoken.output)
                # The program ends when it has got all messages.
                heard = listening.wait(PATIENCE)
                self.assertTrue(heard.ok, heard.output)

    def test_tcp_by_the_adapters_own_network_device(self) -> None:
        """Programs of perftest exchange their numbers by TCP, here through the RNICs' network."""
        for server, client in self.both_ways():
            with self.subTest(server=server.name):
                port = next(self.ports)
                serving = server.start(
                    f"exec /usr/bin/python3 -c '{_RECEIVER}' {server.underlay} {port}"
                )
                wait_listening(server, port, serving)
                sent = client.run(
                    f"/usr/bin/python3 -c '{_SENDER}' {server.underlay} {port}", PATIENCE
                )
                self.assertTrue(sent.ok, sent.output + serving.output)
                self.assertEqual(sent.output, serving.wait(PATIENCE).output)


# 4 MiB, which one end makes and both print the sum of.
_SENDER = """
import hashlib, os, socket, sys
data = os.urandom(1 << 22)
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    connection.sendall(data)
print(len(data), hashlib.sha256(data).hexdigest())
"""
_RECEIVER = """
import hashlib, socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
connection, _ = listener.accept()
data = b"".join(iter(lambda: connection.recv(1 << 16), b""))
print(len(data), hashlib.sha256(data).hexdigest())
"""


if __name__ == "__main__":
    main()
