# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The programs of rdmacm-utils, and the listeners that they make."""

from __future__ import annotations

from dataclasses import dataclass

from vrdma_lab.machine.channel import Job, Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.programs import rping
from vrdma_lab.programs.traffic import PATIENCE


@dataclass(frozen=True)
class Program:
    """A program of rdmacm-utils.

    It has the two command lines, and a text that its client prints when all went well. Of an rping
    the number of its pings tells that.
    """

    server: str
    client: str
    says: str = ""
    pings: int = 0
    server_ends: bool = True
    port: int = 0  # the program's own choice; 0 for a port of the test's choice
    datagrams: bool = (
        # The program takes addresses from the headers of datagrams, which may be another network's.
        False
    )

    @property
    def name(self) -> str:
        """The client's name."""
        return self.client.split(" ", 1)[0]

    def succeeded(self, end: Outcome) -> bool:
        """Whether this is a good end of the client or the server."""
        return rping.succeeded(end, self.pings) if self.pings else end.ok


_STREAM = "-T b -S 16384 -I 5 -C 5"

PROGRAMS = (
    Program(
        "rping -s -a {address} -p {port} -C 5 -S 4000 -V -v",
        "rping -c -a {address} -p {port} -C 5 -S 4000 -V -v",
        pings=5,
    ),
    Program("rping -s -p {port} -C 2 -v", "rping -c -a {address} -p {port} -C 2 -v", pings=2),
    Program(
        "ucmatose -p {port} -c 4 -C 5 -S 1000",
        "ucmatose -s {address} -p {port} -c 4 -C 5 -S 1000",
        "return status 0",
    ),
    # This one moves its connections to another channel, from one file to another.
    Program(
        "ucmatose -b {address} -p {port} -c 4 -C 2 -m",
        "ucmatose -s {address} -p {port} -c 4 -C 2 -m",
        "return status 0",
    ),
    Program(
        "udaddy -b {address} -c 3 -C 5",
        "udaddy -s {address} -b {own} -c 3 -C 5",
        "return status 0",
        port=7174,
        datagrams=True,
    ),
    Program("rdma_server -p {port}", "rdma_client -s {address} -p {port}", "rdma_client: end 0"),
    Program(
        f"rstream -p {{port}} {_STREAM}", f"rstream -s {{address}} -p {{port}} {_STREAM}", "16k"
    ),
    Program(
        f"riostream -p {{port}} {_STREAM}", f"riostream -s {{address}} -p {{port}} {_STREAM}", "16k"
    ),
    Program(
        "cmtime -b {address} -p {port}",
        "cmtime -s {address} -p {port} -c 10",
        "disconnect",
        server_ends=False,
    ),
)


def wait_listener(where: Side, port: int, serving: Job) -> bool:
    """Waits for a kernel's listener at the port, or the program's end; whether there is a listener.

    `where` is the side with that kernel.
    """
    waiting = where.start(
        f"until rdma resource show cm_id | grep -q 'LISTEN .*:{port} '; do sleep 0.02; done"
    )
    if waiting.wait_or(serving, PATIENCE):
        return True
    waiting.kill()
    return False
