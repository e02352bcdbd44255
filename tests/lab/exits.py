# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The exits that a message costs, with a daemon that sleeps when idle and with one that spins."""

from __future__ import annotations

import signal

from support_py.suite import PATIENCE, HostTest, main, record
from vrdma_lab.host.counters import exits
from vrdma_lab.host.exit_reasons import ExitReasons
from vrdma_lab.host.system_calls import SystemCalls
from vrdma_lab.programs.stream import Stream
from vrdma_lab.programs.traffic import Exchange, run_once
from vrdma_lab.vm.guest import Guest

MESSAGES = 5_000
# Exits for the start and the end of the two programs: connections, mappings, control verbs.
EXTRAS = 1000
SPINNING_US = 1_000_000


class Exits(HostTest):
    @classmethod
    def prepare(cls) -> None:
        cls.host.serve([1], spin_us=0)
        cls.host.boot([1])

    def device_accesses(self, guest: Guest, daemon: str, messages: int, depth: int) -> int:
        """Accesses to devices while the guest writes messages to itself, some at once."""
        exchange = Exchange("ib_write_bw", 2, messages, ("-t", str(depth)))
        total = exits(guest)
        with ExitReasons() as reasons:
            result = run_once(guest, guest, exchange, PATIENCE)
            accesses = reasons.device_accesses(guest)
        total = exits(guest) - total
        # perftest's figure may be inf here; it matters only that all messages went.
        self.assertTrue(result.ok or result.remarks, result.error)
        record(
            test=f"{exchange.title} 2 bytes",
            daemon=daemon,
            messages=messages,
            exits_per_message=round(total / messages, 3),
            device_accesses_per_message=round(accesses / messages, 3),
        )
        return accesses

    def test_1_at_most_one_for_each_message_with_a_daemon_that_sleeps(self) -> None:
        guest = self.host.guests[0]
        # A program that rings the adapter itself needs no daemon for it.
        most = EXTRAS if self.host.kind.rings_itself else MESSAGES + EXTRAS
        self.assertLessEqual(self.device_accesses(guest, "sleeping", MESSAGES, 1), most)
        self.assertLessEqual(self.device_accesses(guest, "sleeping", MESSAGES, 128), most)

    def test_2_none_for_a_message_with_a_daemon_that_spins(self) -> None:
        guest = self.host.guests[0]
        self.host.daemon.child.stop()
        guest.wait_registered(PATIENCE, False)
        self.host.serve([1], spin_us=SPINNING_US)
        guest.wait_device(PATIENCE)
        self.assertLessEqual(self.device_accesses(guest, "spinning", MESSAGES, 128), EXTRAS)

    def test_3_a_program_that_rings_itself_needs_neither_kernel_nor_daemon(self) -> None:
        if not self.host.kind.rings_itself:
            self.skipTest("the RNIC is rung by system call")
        guest = self.host.guests[0]
        stream = Stream(guest, guest)
        stream.wait_flowing(PATIENCE)
        daemon = self.host.daemon.child.process
        daemon.send_signal(signal.SIGSTOP)
        try:
            with SystemCalls(guest, "rdma_stream") as calls, ExitReasons() as reasons:
                before = stream.messages
                for _ in range(3):
                    stream.wait_flowing(PATIENCE)
                # What the agent prints of the stream is an access to a device as well.
                accesses = reasons.device_accesses(guest)
                made = calls.count()
                messages = stream.messages - before
        finally:
            daemon.send_signal(signal.SIGCONT)
        stream.stop()
        record(
            test="rdma_stream, polling",
            daemon="stopped",
            messages=messages,
            system_calls_per_message=round(made / messages, 5),
            device_accesses_per_message=round(accesses / messages, 5),
        )
        # The client says now and then how far it is.
        self.assertLess(made / messages, 0.005)
        self.assertLess(accesses / messages, 0.005)


if __name__ == "__main__":
    main()
