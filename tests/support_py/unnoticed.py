# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Programs of guests that end at the first thing that goes wrong, while vrdmad changes under them.

Nobody tells them anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from support_py.exchange import PATIENCE, ExchangeTest, say
from vrdma_lab.lab.daemon import Daemon
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.stream import Stream
from vrdma_lab.test_form import is_long

TIMES = 20 if is_long() else 3

# Makes and destroys objects all the time, and compares what each verb did with the first time.
_CHURN = """
verb_effects vrdma0 > /tmp/first || exit 1
while [ ! -e /tmp/enough ]; do
    verb_effects vrdma0 > /tmp/again || { echo "a verb failed"; cat /tmp/again; exit 1; }
    [ "$(cat /tmp/again)" = "$(cat /tmp/first)" ] || { diff /tmp/first /tmp/again; exit 1; }
    round=$((${round:-0} + 1))
    echo "round $round"
done
rm /tmp/enough
"""


class UnnoticedTest(ExchangeTest):
    """Tests in which no program may notice that another vrdmad has taken the guests over."""

    @contextmanager
    def churn(self, guest: Side) -> Iterator[Callable[[], None]]:
        """A guest's program makes and destroys objects; the result waits for a whole round."""
        job = guest.start(_CHURN)
        job.wait_for("round 1\n", PATIENCE)
        # The round after the one that is under way.
        yield lambda: job.wait_for(f"round {job.output.count('round') + 2}\n", PATIENCE)
        guest.must("touch /tmp/enough")
        outcome = job.wait(PATIENCE)
        self.assertTrue(outcome.ok, outcome.output)

    def take_over_unnoticed(
        self, daemon: Daemon, streams: Mapping[str, Stream], churning: Side
    ) -> float:
        """Has vrdmad taken over again and again; the longest standstill in ms.

        The streams end with this.
        """
        standstills = []
        with self.churn(churning) as wait_round:
            for each in range(TIMES):
                standstills.append(daemon.be_taken_over())
                for what, stream in streams.items():
                    with self.subTest(f"a stream {what} flows", after=each + 1):
                        stream.wait_flowing(PATIENCE)
                wait_round()
        for stream in streams.values():
            stream.stop()
        for refusal in ("cannot be taken over", "cannot be handed over"):
            self.assertNotIn(refusal, daemon.log())
        say(f"    stood still for {', '.join(f'{each:g}' for each in standstills)} ms")
        return max(standstills)
