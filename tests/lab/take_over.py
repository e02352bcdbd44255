# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""One vrdmad takes the guests of another over, again and again, and no program notices.

Every program here ends at the first thing that goes wrong, and nobody tells them anything.
"""

from __future__ import annotations

from support_py.suite import PATIENCE, GuestsTest, main, record
from vrdma_lab.host.counters import rdma_resources, wait_resources
from vrdma_lab.programs.stream import Stream
from vrdma_lab.test_form import is_long

TIMES = 20 if is_long() else 3

# Makes and destroys objects all the time, and compares what each verb did with the first time.
CHURN = """
verb_effects vrdma0 > /tmp/first || exit 1
while [ ! -e /tmp/enough ]; do
    verb_effects vrdma0 > /tmp/again || { echo "a verb failed"; cat /tmp/again; exit 1; }
    [ "$(cat /tmp/again)" = "$(cat /tmp/first)" ] || { diff /tmp/first /tmp/again; exit 1; }
    round=$((${round:-0} + 1))
    echo "round $round"
done
"""


class TakeOver(GuestsTest):
    def test_1_transfers_and_verbs_go_on(self) -> None:
        idle = rdma_resources(self.host.device)
        streams = {
            "from guest to guest that waits for events": Stream(self.b, self.a, events=True),
            "from guest to guest that polls": Stream(self.a, self.b),
            "from the host to a guest": Stream(self.b, self.host.native),
            "from a guest to the host": Stream(self.host.native, self.a),
        }
        churn = self.b.start(CHURN)
        churn.wait_for("round 1\n", PATIENCE)
        standstills = []
        for each in range(TIMES):
            standstills.append(self.host.daemon.be_taken_over())
            for what, stream in streams.items():
                with self.subTest(f"a stream {what} flows", after=each + 1):
                    stream.wait_flowing(PATIENCE)
            # The round after the one that was under way.
            churn.wait_for(f"round {churn.output.count('round') + 2}\n", PATIENCE)
        record(
            what="guests stood still while vrdmad was taken over",
            times=TIMES,
            longest_ms=max(standstills),
        )
        self.b.must("touch /tmp/enough")
        outcome = churn.wait(PATIENCE)
        self.assertTrue(outcome.ok, outcome.output)
        for stream in streams.values():
            stream.stop()
        with self.subTest("the RNIC has what it had before"):
            wait_resources(self.host.device, lambda now: now == idle, str(idle), PATIENCE)
        for guest in (self.a, self.b):
            with self.subTest("the guest's kernel has nothing to say", guest=guest.name):
                self.assertEqual(guest.complaints(), "")

    def test_2_programs_that_begin_afterwards_work(self) -> None:
        self.exchange(self.b, self.a)
        self.exchange(self.host.native, self.a)
        self.assertEqual(self.host.native.complaints(), "")
        self.assertNotIn("cannot be taken over", self.host.daemon.log())
        self.assertNotIn("cannot be handed over", self.host.daemon.log())

    def test_3_what_the_successor_made_can_be_killed(self) -> None:
        idle = rdma_resources(self.host.device)
        stream = Stream(self.b, self.a)
        stream.wait_flowing(PATIENCE)
        self.host.daemon.be_taken_over()
        stream.wait_flowing(PATIENCE)
        stream.stop()
        wait_resources(self.host.device, lambda now: now == idle, str(idle), PATIENCE)


if __name__ == "__main__":
    main()
