# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Writes without end between two sides (rdma_stream.c)."""

from __future__ import annotations

import itertools

from vrdma_lab import paths
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.flow import Flow
from vrdma_lab.programs.traffic import wait_listening

_ports = itertools.count(22000)


class Stream(Flow):
    """rdma_stream from client to server; with events, the client sleeps meanwhile."""

    def __init__(self, server: Side, client: Side, events: bool = False) -> None:
        port = next(_ports)
        serving = server.start(_command(server, client, port, events))
        wait_listening(server, port, serving)
        super().__init__(
            serving, client.start(f"{_command(client, server, port, events)} {server.ip}")
        )


def _command(side: Side, peer: Side, port: int, events: bool) -> str:
    program = str(paths.lab_program("rdma_stream")) if side.native else "rdma_stream"
    words = ["exec", program, "--device", side.device, "--tcp-port", str(port)]
    words += side.gid_option("--gid-index", peer)
    return " ".join(words + (["--events"] if events else []))
