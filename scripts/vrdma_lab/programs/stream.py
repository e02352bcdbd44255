# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Writes without end between two sides.

The program (rdma_stream.c) ends at the first sign of trouble.
"""

from __future__ import annotations

import itertools
import re
import time

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.machine.progress import Patience
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.traffic import wait_listening

_ports = itertools.count(22000)


class Stream:
    """rdma_stream from client to server; with events, the client sleeps meanwhile."""

    def __init__(self, server: Side, client: Side, events: bool = False) -> None:
        port = next(_ports)
        self.server = server.start(_command(server, client, port, events))
        wait_listening(server, port, self.server)
        self.client = client.start(f"{_command(client, server, port, events)} {server.ip}")

    @property
    def messages(self) -> int:
        """The number of messages that have been written, as the client said last."""
        counts = re.findall(r"^(\d+) messages$", self.client.output, re.MULTILINE)
        return int(counts[-1]) if counts else 0

    def wait_flowing(self, timeout: float) -> None:
        """Waits until more messages have been written than now."""
        before, patience = self.messages, Patience(timeout)
        while self.messages <= before:
            if self.client.done:
                raise LabError(f"the stream ended:\n{self.client.output}\n{self.server.output}")
            if patience.over:
                raise LabError(f"the stream stands still, {patience.why()}:\n{self.client.output}")
            time.sleep(0.1)

    def end(self, timeout: float) -> Outcome:
        """Waits until the client has ended, as it does when something goes wrong."""
        return self.client.wait(timeout)

    def stop(self) -> None:
        """Ends both programs."""
        self.client.kill()
        self.server.kill()


def _command(side: Side, peer: Side, port: int, events: bool) -> str:
    program = str(paths.lab_program("rdma_stream")) if side.native else "rdma_stream"
    words = ["exec", program, "--device", side.device, "--tcp-port", str(port)]
    words += side.gid_option("--gid-index", peer)
    return " ".join(words + (["--events"] if events else []))
