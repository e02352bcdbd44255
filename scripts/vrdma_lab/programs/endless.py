# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A transfer that goes on until something ends it, for tests of events in its middle."""

from __future__ import annotations

import time

from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import Patience
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.traffic import Exchange, start_exchange

# The program prints a row a second until it is ended.
_ENDLESS = Exchange("ib_write_bw", 65536, 1000, ("--run_infinitely", "-D", "1"))


class EndlessTransfer:
    """perftest's ib_write_bw from client to server."""

    def __init__(self, server: Side, client: Side) -> None:
        self.server, self.client = start_exchange(server, client, _ENDLESS)

    @property
    def rows(self) -> int:
        """How many results have been printed."""
        return sum(
            1
            for line in self.client.output.splitlines()
            if line.split()[:1] == [str(_ENDLESS.size)]
        )

    def wait_rows(self, count: int, timeout: float) -> None:
        """Waits until it has printed so many results, which shows that data flow."""
        patience = Patience(timeout, lambda: self.client.printed)
        while self.rows < count:
            if self.client.done:
                raise LabError(f"the transfer ended:\n{self.client.output}\n{self.server.output}")
            if patience.over:
                raise LabError(
                    f"the transfer printed no {count} results, {patience.why()}:\n"
                    f"{self.client.output}"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends both programs."""
        self.client.kill()
        self.server.kill()
