# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Programs of guests that end at the first thing that goes wrong, while vrdmad changes under them.

Nobody tells them anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from support_py.exchange import PATIENCE, ExchangeTest, say
from vrdma_lab.errors import LabError
from vrdma_lab.lab.daemon import Daemon
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.flow import Flow
from vrdma_lab.test_form import is_long

TIMES = 20 if is_long() else 3

# A round of a program that makes and destroys objects, and compares what each verb did with the
# first time.
_CHURN = """
verb_effects vrdma0 > /tmp/again || { echo "a verb failed"; cat /tmp/again; exit 1; }
[ -e /tmp/first ] || cp /tmp/again /tmp/first
[ "$(cat /tmp/again)" = "$(cat /tmp/first)" ] || { diff /tmp/first /tmp/again; exit 1; }
"""


class UnnoticedTest(ExchangeTest):
    """Tests in which no program may notice that another vrdmad has taken the guests over."""

    @contextmanager
    def rounds(self, guest: Side, round_: str) -> Iterator[Callable[[], None]]:
        """A guest does this again and again; the result waits for a whole round.

        The commands end the shell by a status when they find a fault.
        """
        job = guest.start(
            f"while [ ! -e /tmp/enough ]; do\n{round_}\n"
            'round=$((${round:-0} + 1))\necho "round $round"\ndone\nrm /tmp/enough'
        )
        job.wait_for("round 1\n", PATIENCE)
        # The round after the one that is under way.
        yield lambda: job.wait_for(f"round {job.output.count('round') + 2}\n", PATIENCE)
        guest.must("touch /tmp/enough")
        outcome = job.wait(PATIENCE)
        self.assertTrue(outcome.ok, outcome.output)

    def take_over_unnoticed(
        self, daemon: Daemon, streams: Mapping[str, Flow], churning: Side
    ) -> float:
        """Has vrdmad taken over again and again; the longest standstill in ms.

        The streams end with this.
        """
        standstills = []
        with self.rounds(churning, _CHURN) as wait_round:
            for each in range(TIMES):
                standstills.append(daemon.be_taken_over())
                for what, stream in streams.items():
                    with self.subTest(f"a stream {what} flows", after=each + 1):
                        try:
                            stream.wait_flowing(PATIENCE)
                        except LabError as error:
                            raise LabError(f"{error}\n{daemon.log()}") from error
                wait_round()
        for stream in streams.values():
            stream.stop()
        for refusal in ("cannot be taken over", "cannot be handed over"):
            self.assertNotIn(refusal, daemon.log())
        say(f"    stood still for {', '.join(f'{each:g}' for each in standstills)} ms")
        return max(standstills)
