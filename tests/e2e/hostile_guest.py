# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest whose driver attacks the device, beside an honest one on the same daemon."""

from __future__ import annotations

import os
import random
import re
import sys
from pathlib import Path
from typing import Any

from support_py.e2e import LONG, LabTest, main
from support_py.kernel_module import send_module
from vrdma_lab.vm.guest import GuestOptions

ROUNDS = 20 if LONG else 2
STEPS = 20000 if LONG else 4000
# The C library keeps some of what was freed, and not the same amount each time.
ARENAS_KIB = 32 * 1024


class HostileGuest(LabTest):
    @classmethod
    def boot(cls) -> None:
        guests = [cls.lab.launch(1, GuestOptions(load_driver=False)), cls.lab.launch(2)]
        for guest in guests:
            guest.wait_booted()
        send_module(guests[0], cls.lab.kernel, "hostile", "vrdma_hostile")

    def holdings(self) -> dict[str, Any]:
        """What the daemon holds for its guests."""
        process = Path(f"/proc/{self.lab.daemon.child.process.pid}")
        status = self.lab.daemon.status()
        return {
            "objects": [vm["objects"] for vm in status["vms"]],
            "shared memory": [vm["shared_memory"]["used"] for vm in status["vms"]],
            "descriptors": len(os.listdir(process / "fd")),
            "threads": len(os.listdir(process / "task")),
        }

    def anonymous_kib(self) -> int:
        """The daemon's own memory."""
        status = Path(f"/proc/{self.lab.daemon.child.process.pid}/status").read_text()
        found = re.search(r"RssAnon:\s+(\d+) kB", status)
        assert found is not None
        return int(found.group(1))

    def attack(self, seed: int, steps: int = STEPS) -> None:
        """One attack, with transfers of the honest guest meanwhile and afterwards."""
        hostile, honest = self.lab.guests
        job = hostile.start(
            f"insmod /tmp/vrdma_hostile.ko seed={seed} steps={steps} && rmmod vrdma_hostile"
        )
        transfers = 0
        while not job.done:
            self.exchange(honest, honest)
            transfers += 1
        outcome = job.wait(60)
        self.assertTrue(outcome.ok, outcome.output)
        self.exchange(honest, honest)
        log = hostile.must("dmesg")
        said = [line for line in log.splitlines() if f"seed {seed}: " in line]
        self.assertTrue(said, log)
        print(f"{said[-1]}; {transfers} transfers beside", file=sys.stderr, flush=True)

    def test_an_attacked_daemon_serves_the_honest_guest_and_keeps_nothing(self) -> None:
        first = int(os.environ.get("VRDMA_SEED") or random.SystemRandom().randrange(1 << 31))
        print(f"VRDMA_SEED={first}", file=sys.stderr, flush=True)
        # What the first transfer and the first start of the queues make stays for the next ones.
        self.attack(first, steps=0)
        before, memory = self.holdings(), []
        for seed in range(first, first + ROUNDS):
            self.attack(seed)
            self.lab.daemon.child.check()
            self.assertEqual(self.holdings(), before)
            memory.append(self.anonymous_kib())
        self.assertLess(memory[-1], memory[0] + ARENAS_KIB, memory)


if __name__ == "__main__":
    main()
