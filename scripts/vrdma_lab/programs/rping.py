# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What an rping that has succeeded looks like.

Before rdma-core 59, rping's main thread closes the event channel at its end, while its other thread
may be about to ask the channel for the next event. The other thread gets EBADF then, and ends the
process by a status that says nothing about the pings. The same line comes from cmtime and mckey,
whose status it leaves alone (that of cmtime only before rdma-core 52).

The status of a server says little, too: a client that goes away early is a good end for a server.
So the pings are looked for, which rping prints by -v.
"""

from __future__ import annotations

import re

from vrdma_lab.machine.channel import Outcome

_LATE_READER = re.compile(
    r"(failure in )?rdma_get_cm_event( in process_server_events)?: Bad file descriptor\n?"
)
_STATUS_OF_LATE_READER = 255


def without_late_reader(output: str) -> str:
    """The output of a program without the line of a thread that asks a closed channel."""
    return _LATE_READER.sub("", output)


def succeeded(outcome: Outcome, pings: int) -> bool:
    """Whether an rping -v, client or server, has done its pings and come to its end."""
    done = all(f"ping data: rdma-ping-{number}:" in outcome.output for number in range(pings))
    late = outcome.status == _STATUS_OF_LATE_READER and bool(_LATE_READER.search(outcome.output))
    return pings > 0 and done and (outcome.ok or late)
