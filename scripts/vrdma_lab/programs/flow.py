# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Two programs that send without end, and say each second how many messages there have been.

They end at the first sign of trouble.
"""

from __future__ import annotations

import re
import time

from vrdma_lab.errors import LabError
from vrdma_lab.machine.channel import Job, Outcome
from vrdma_lab.machine.progress import Patience


class Flow:
    """What flows from a client to a server."""

    def __init__(self, server: Job, client: Job) -> None:
        self.server = server
        self.client = client

    @property
    def messages(self) -> int:
        """The number of messages that have been sent, as the client said last."""
        counts = re.findall(r"^(\d+) messages$", self.client.output, re.MULTILINE)
        return int(counts[-1]) if counts else 0

    def wait_flowing(self, timeout: float) -> None:
        """Waits until more messages have been sent than now."""
        before, patience = self.messages, Patience(timeout)
        while self.messages <= before:
            if self.client.done:
                raise LabError(f"the stream ended:\n{self.client.output}\n{self.server.output}")
            if patience.over:
                raise LabError(
                    f"the stream stands still, {patience.why()}:\n{self.client.output}\n"
                    f"{self.server.output}"
                )
            time.sleep(0.1)

    def end(self, timeout: float) -> Outcome:
        """Waits until the client has ended, as it does when something goes wrong."""
        return self.client.wait(timeout)

    def stop(self) -> None:
        """Ends both programs."""
        self.client.kill()
        self.server.kill()
