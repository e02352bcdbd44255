# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The costs of a guest for the host: memory, processor time, memory regions, system calls."""

from __future__ import annotations

import re
import subprocess
import time
import unittest
from pathlib import Path

from support_py.guest_program import send_program
from vrdma_lab.lab.lab import Lab
from vrdma_lab.machine.progress import Patience
from vrdma_lab.programs.traffic import Exchange, start_exchange
from vrdma_lab.vm.guest import Guest, GuestOptions
from vrdma_lab.vm.monitor import Monitor, monitor_options

QUEUE_PAIRS = 1000


def resident_besides_guest_memory(pid: int) -> int:
    """Bytes resident in a process without those of guest RAM (QEMU's memory backend files)."""
    total, counted = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counted = "memory-backend-memfd" not in line
        elif line.startswith("Rss:") and counted:
            total += int(line.split()[1]) * 1024
    return total


def wake_ups(pid: int) -> dict[str, int]:
    """The number of times that each thread of a process has gone to sleep."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        match = re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.MULTILINE)
        assert match is not None
        counts[task.name] = int(match.group(1))
    return counts


class FootprintTest(unittest.TestCase):
    lab: Lab
    guest: Guest
    monitor: Monitor

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = Lab()
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.close)
        # The daemon spins long, so that the cost of a message while it spins can be told from that
        # of waking up.
        cls.lab.start_daemon(1, ["--spin-us", "1000000"])
        monitor = cls.lab.folder / "monitor.sock"
        options = GuestOptions(extra=monitor_options(monitor))
        (cls.guest,) = cls.lab.boot([1], options)
        cls.guest.gid_index()
        cls.monitor = Monitor(monitor)
        cls.addClassCleanup(cls.monitor.close)

    @property
    def pid(self) -> int:
        return self.lab.daemon.child.process.pid

    def test_an_idle_guest_costs_at_most_30_mib(self) -> None:
        resident = resident_besides_guest_memory(self.pid)
        print(
            f"vrdmad with one idle guest: {resident / 2**20:.1f} MiB resident besides guest memory"
        )
        self.assertLessEqual(resident, 30 * 2**20)

    def test_an_idle_guest_wakes_no_thread_of_the_daemon(self) -> None:
        # The guest's own start, with addresses and duplicate detection, takes its time to settle.
        quiet = {}
        patience = Patience(60)
        while not patience.over:
            before = wake_ups(self.pid)
            time.sleep(3)
            after = wake_ups(self.pid)
            quiet = {task: after[task] - before[task] for task in after}
            if not any(quiet.values()):
                return
        self.fail(f"threads woke up in each interval of 3 s, and {patience.why()}: {quiet}")

    def test_queue_pairs_add_no_memory_region_and_no_slot(self) -> None:
        send_program(self.guest, "many_queue_pairs", ("ibverbs",))
        # the objects of the guest's kernel
        idle = self.lab.daemon.status()["vms"][0]["objects"]["queue_pairs"]
        before = self.monitor.human("info mtree -f")
        self.assertIn("vrdma", before, "the shared memory region is in QEMU's memory tree")
        job = self.guest.start(f"/tmp/many_queue_pairs {QUEUE_PAIRS} > /tmp/many.log 2>&1")
        self.guest.must(
            "until grep -q ready /tmp/many.log; do usleep 100000; done",
            90,
        )
        during = self.monitor.human("info mtree -f")
        status = self.lab.daemon.status()["vms"][0]
        self.assertEqual(status["objects"]["queue_pairs"], idle + QUEUE_PAIRS)
        self.assertGreaterEqual(
            status["objects"]["mappings"], 2 * QUEUE_PAIRS, "each has a send and a receive queue"
        )
        self.guest.must("killall many_queue_pairs")
        job.wait(90)
        self.assertEqual(self._flat_views(during), self._flat_views(before))
        self.lab.daemon.wait_status(
            lambda now: [
                now["vms"][0]["objects"]["queue_pairs"],
                now["rnic_objects"]["queue_pairs"],
            ]
            == [idle, idle],
            "all queue pairs are gone",
        )

    @staticmethod
    def _flat_views(text: str) -> list[str]:
        """The ranges of the memory tree: with KVM, each RAM range is a memory slot."""
        return [line.strip() for line in text.splitlines() if re.match(r"\s+[0-9a-f]{16}-", line)]

    def test_a_spinning_daemon_makes_no_system_call_for_a_message(self) -> None:
        messages = 4000
        exchange = Exchange("ib_write_lat", 8, messages)
        server, client = start_exchange(self.guest, self.guest, exchange)
        counts = self.lab.folder / "strace"
        with subprocess.Popen(
            ["strace", "-f", "-q", "-c", "-o", str(counts), "-p", str(self.pid)]
        ) as tracer:
            outcome = client.wait(120)
            server.wait(120)
            tracer.terminate()
        self.assertTrue(outcome.ok, outcome.output)
        total = re.search(r"^100\.00.*?(\d+)(?:\s+\d+)?\s+total$", counts.read_text(), re.MULTILINE)
        assert total is not None, counts.read_text()
        calls = int(total.group(1))
        print(f"{calls} system calls of vrdmad during {2 * messages} messages and their setup")
        # Both sides send; connecting and disconnecting takes a few hundred calls in all.
        self.assertLess(calls, messages / 4, counts.read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
