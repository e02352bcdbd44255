# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Operators' mistakes, and limits: each gets a clear message, and nothing else stops working."""

from __future__ import annotations

import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from support_py.e2e import KERNEL, LabTest, main
from support_py.guest_program import send_program
from vrdma_lab import paths
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.lab.lab import Lab
from vrdma_lab.machine.progress import run_to_end, wait_until
from vrdma_lab.vm.guest import Guest, GuestOptions


def vrdmad(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a vrdmad that is expected to end by itself."""
    return run_to_end([paths.daemon(), *arguments], 30)


class DaemonRefuses(unittest.TestCase):
    """vrdmad, before it serves anyone."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.config = self.folder / "vrdmad.toml"

    def refusal(self, text: str) -> str:
        self.config.write_text(text)
        result = vrdmad("--config", str(self.config))
        self.assertNotEqual(result.returncode, 0)
        return result.stderr

    def test_a_file_that_is_not_there(self) -> None:
        result = vrdmad("--config", str(self.folder / "nowhere.toml"))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("nowhere.toml", result.stderr)

    def test_a_mistyped_key_with_its_line(self) -> None:
        message = self.refusal(
            '[rnic]\nname = "embedded"\n[[vm]]\nname = "a"\nsokcet = "/tmp/a.sock"\n'
        )
        self.assertIn("sokcet", message)
        self.assertRegex(message, r"(line |:)5\b")

    def test_a_file_that_is_no_toml_with_its_line(self) -> None:
        self.assertRegex(self.refusal('[rnic]\nname = "embedded\n'), r"(line |:)2\b")

    def test_an_unknown_rnic(self) -> None:
        result = vrdmad("--rnic", "mlx9_0", "--vm", f"socket={self.folder}/a.sock")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("mlx9_0", result.stderr)

    def test_check_finds_the_same_mistakes_and_serves_nobody(self) -> None:
        self.config.write_text(f'[[vm]]\nname = "a"\nsocket = "{self.folder}/a.sock"\n')
        result = vrdmad("--config", str(self.config), "--check")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse((self.folder / "a.sock").exists())


class QemuRefuses(LabTest):
    """QEMU, when its device cannot work."""

    guest_count = 1

    @classmethod
    def boot(cls) -> None:
        pass

    def refusal(self, guest: Guest) -> str:
        wait_until(lambda: not guest.qemu.running, "QEMU did not end", 30)
        self.assertNotEqual(guest.qemu.process.returncode, 0)
        return guest.qemu.log.read_text(errors="replace")

    def test_a_socket_that_is_not_there(self) -> None:
        nowhere = self.lab.folder / "nowhere.sock"
        message = self.refusal(self.lab.launch(2, GuestOptions(socket=nowhere)))
        self.assertIn("nowhere.sock", message)

    def test_a_guest_without_shared_memory(self) -> None:
        guest = self.lab.launch(1, GuestOptions(shared_memory=False))
        self.assertRegex(self.refusal(guest), r"(?i)share=on|shared memory|memory-backend")
        # The daemon serves the same guest once it is started properly.
        again = self.lab.launch(1, log_suffix="-again")
        again.wait_booted()
        self.exchange(again, again)
        again.kill()

    def test_a_shared_memory_region_that_is_no_size(self) -> None:
        guest = self.lab.launch(1, GuestOptions(device_options="shm-size=12345"), log_suffix="-odd")
        self.assertIn("shm-size", self.refusal(guest))


class SmallRegion(LabTest):
    """A shared memory region that is too small for the queues that a program asks for."""

    @classmethod
    def boot(cls) -> None:
        small = GuestOptions(device_options="shm-size=1M")
        guests = [cls.lab.launch(1, small), cls.lab.launch(2)]
        for guest in guests:
            guest.wait_booted()

    def test_queues_that_do_not_fit_get_an_error_and_smaller_ones_work(self) -> None:
        a, b = self.lab.guests
        large = a.run(f"ibv_rc_pingpong -d vrdma0 -g {a.gid_index()} -r 16000 -n 1", 60)
        self.assertFalse(large.ok, large.output)
        self.assertRegex(large.output, r"Couldn't create (CQ|QP)")
        self.assertIn("a:", self.lab.daemon.log())
        self.assertIn("shared memory region", self.lab.daemon.log())
        # Neither the other guest nor this one has stopped working.
        self.exchange(b, b)
        self.exchange(b, a)


class Limits(unittest.TestCase):
    """A guest that has reached a limit."""

    def test_the_verb_fails_and_the_log_names_guest_and_limit(self) -> None:
        with Lab(KERNEL) as lab:
            # One of them is QP 1, the guest's kernel's.
            lab.start_daemon(1, toml="[limits]\nqueue_pairs = 3\n")
            (guest,) = lab.boot([1])
            index = guest.gid_index()
            outcome = guest.run(f"ibv_srq_pingpong -d vrdma0 -g {index} -q 3 -r 10")
            self.assertFalse(outcome.ok)
            self.assertIn("Couldn't create QP", outcome.output)
            self.assertRegex(
                lab.daemon.log(), r"a: .*limit.*queue[_ ]pairs|a: .*queue[_ ]pairs.*limit"
            )
            # Within the limit all is well.
            fits = guest.start(f"{LINE_BUFFERED} ibv_srq_pingpong -d vrdma0 -g {index} -q 2 -r 10")
            fits.wait_for("local address")
            fits.kill()
            self.raised_while_the_guest_runs(lab, guest, index)
            self.commands_wait_and_go_on(lab, guest)

    def raised_while_the_guest_runs(self, lab: Lab, guest: Guest, index: int) -> None:
        lab.daemon.reload("[limits]\nqueue_pairs = 6\n")
        program = guest.start(f"{LINE_BUFFERED} ibv_srq_pingpong -d vrdma0 -g {index} -q 3 -r 10")
        program.wait_for("local address")
        program.kill()
        limit = lab.daemon.status()["vms"][0]["limits"]["queue_pairs"]
        self.assertEqual(limit["limit"], 6)
        self.assertGreaterEqual(limit["reached"], 1)

    def commands_wait_and_go_on(self, lab: Lab, guest: Guest) -> None:
        """A guest at its rate of commands waits; it goes on as soon as the rate is raised."""

        def reached(status: dict[str, Any]) -> bool:
            return int(status["vms"][0]["limits"]["commands_per_second"]["reached"]) > 0

        queue_pairs = 200
        send_program(guest, "many_queue_pairs", ("ibverbs",))
        lab.daemon.reload("[limits]\ncommands_per_second = 1\ncommand_burst = 1\n")
        job = guest.start(f"/tmp/many_queue_pairs {queue_pairs}")
        lab.daemon.wait_status(reached, "commands have to wait")
        waiting = lab.daemon.status()["vms"][0]["objects"]["queue_pairs"]
        self.assertLess(waiting, queue_pairs)
        lab.daemon.reload("")
        job.wait_for("ready")
        self.assertGreater(
            lab.daemon.status()["vms"][0]["objects"]["queue_pairs"], queue_pairs, "and QP 1"
        )
        job.kill()


class NoRdmaCore(LabTest):
    """A guest whose kernel has no ib_core."""

    guest_count = 1

    def test_the_driver_does_not_load_and_the_guest_lives(self) -> None:
        guest = self.lab.guests[0]
        guest.must("rmmod vrdma rdma_ucm rdma_cm iw_cm ib_cm ib_uverbs ib_core")
        outcome = guest.run("insmod /lib/modules/vrdma.ko")
        self.assertFalse(outcome.ok)
        self.assertIn("Unknown symbol ib_", guest.must("dmesg"))
        guest.must(
            "while read m; do case $m in ib_*) insmod /lib/modules/$m;; esac; done "
            "< /lib/modules/order"
        )
        guest.must("insmod /lib/modules/vrdma.ko")
        guest.wait_device()
        self.exchange(guest, guest)


if __name__ == "__main__":
    main()
