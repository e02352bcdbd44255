# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""All kinds of operations without end between two sides, connected by librdmacm (rdma_medley.c)."""

from __future__ import annotations

import itertools

from vrdma_lab import paths
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.flow import Flow
from vrdma_lab.programs.traffic import PATIENCE

_ports = itertools.count(23000)


class Medley(Flow):
    """rdma_medley from client to server.

    Without datagrams where an adapter cannot send them to this address.
    """

    def __init__(self, server: Side, client: Side, datagrams: bool = True) -> None:
        port = next(_ports)
        serving = server.start(_command(server, client, port, datagrams))
        serving.wait_for("listening\n", PATIENCE)
        command = _command(client, server, port, datagrams)
        super().__init__(
            serving, client.start(f"{command} {server.address_towards(client)}")
        )


def _command(side: Side, peer: Side, port: int, datagrams: bool) -> str:
    program = str(paths.lab_program("rdma_medley")) if side.native else "rdma_medley"
    words = ["exec", program, "--address", side.address_towards(peer), "--port", str(port)]
    return " ".join(words + ([] if datagrams else ["--without-datagrams"]))
