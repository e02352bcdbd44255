# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""How long a wait for a machine goes on, by clocks and processes that the tests move."""

from __future__ import annotations

import os
import subprocess
import unittest

from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import (
    CIRCLES,
    INTERVAL,
    Patience,
    StepPatience,
    Work,
    descendants,
    run_to_end,
    wait_until,
    work_of,
)

QEMU = 100
STILL = 60.0


class Machine:
    """A clock, a console and one QEMU."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.printed = 0
        self.work = {QEMU: Work(0, 0)}
        self.patience: Patience | StepPatience = Patience(
            STILL, lambda: self.printed, lambda: self.work, lambda: self.now
        )
        self.over = self.patience.over

    def pass_time(self, seconds: float, ran: float = 0, waited: float = 0) -> bool:
        """Time passes, of which QEMU gets or wants a part; whether the patience is over."""
        for _ in range(round(seconds / INTERVAL)):
            if self.over:
                break
            self.now += INTERVAL
            before = self.work.get(QEMU, Work(0, 0))
            self.work = {
                QEMU: Work(before.ran + ran * INTERVAL, before.waited + waited * INTERVAL)
            }
            self.over = self.patience.over
        return self.over


class Patiences(unittest.TestCase):
    def setUp(self) -> None:
        self.machine = Machine()

    def test_a_machine_that_does_nothing_is_given_up_after_its_seconds(self) -> None:
        self.assertFalse(self.machine.pass_time(STILL - INTERVAL))
        self.assertTrue(self.machine.pass_time(INTERVAL))
        self.assertEqual(self.machine.patience.why(), "nothing moved for 60 s")

    def test_a_machine_that_works_is_waited_for(self) -> None:
        self.assertFalse(self.machine.pass_time(5 * STILL, ran=0.5))

    def test_a_machine_that_gets_no_processor_is_waited_for(self) -> None:
        self.assertFalse(self.machine.pass_time(100 * STILL, ran=0.02, waited=0.9))

    def test_the_timer_of_an_idle_guest_is_no_work(self) -> None:
        self.assertTrue(self.machine.pass_time(STILL, ran=0.03, waited=0.01))

    def test_a_machine_that_prints_is_waited_for(self) -> None:
        for _ in range(10):
            self.assertFalse(self.machine.pass_time(STILL - INTERVAL))
            self.machine.printed += 1

    def test_a_machine_that_does_nothing_but_print_is_given_up(self) -> None:
        # A kernel that complains of a task that hangs does so every two minutes.
        for _ in range(round(CIRCLES) - 1):
            self.assertFalse(self.machine.pass_time(STILL - INTERVAL))
            self.machine.printed += 1
        self.assertFalse(self.machine.pass_time(STILL - INTERVAL))
        self.machine.printed += 1
        self.assertTrue(self.machine.pass_time(CIRCLES))
        self.assertIn("it took 600 s", self.machine.patience.why())

    def test_the_seconds_count_from_the_last_move(self) -> None:
        self.assertFalse(self.machine.pass_time(STILL, ran=1))
        self.assertFalse(self.machine.pass_time(STILL - INTERVAL))
        self.assertTrue(self.machine.pass_time(INTERVAL))

    def test_a_machine_that_runs_in_circles_is_given_up(self) -> None:
        self.assertFalse(self.machine.pass_time(CIRCLES * STILL - INTERVAL, ran=1))
        self.assertTrue(self.machine.pass_time(INTERVAL, ran=1))
        self.assertEqual(
            self.machine.patience.why(), "process 100 worked 600 s without coming to it"
        )

    def test_a_process_that_is_not_seen_once_has_not_done_its_work_anew(self) -> None:
        for _ in range(20):
            self.machine.pass_time(10, ran=1)
            seen, self.machine.work = self.machine.work, {}
            self.machine.now += INTERVAL
            self.assertFalse(self.machine.patience.over)
            self.machine.work = seen
        self.assertFalse(self.machine.pass_time(STILL, ran=1))

    def test_a_process_that_ends_is_no_move(self) -> None:
        self.machine.pass_time(10, ran=1)
        self.machine.work = {}
        self.assertTrue(self.machine.pass_time(STILL))


class StepPatiences(unittest.TestCase):
    step = 300.0

    def setUp(self) -> None:
        self.machine = machine = Machine()
        machine.patience = StepPatience(
            STILL, self.step, lambda: machine.printed, lambda: machine.work, lambda: machine.now
        )
        self.assertFalse(machine.patience.over)

    def test_a_program_that_prints_now_and_then_is_waited_for(self) -> None:
        for _ in range(10):
            self.assertFalse(self.machine.pass_time(self.step - INTERVAL, ran=1))
            self.machine.printed += 1

    def test_a_program_that_prints_no_more_is_given_up_while_its_machine_works(self) -> None:
        self.machine.printed += 1
        self.assertFalse(self.machine.pass_time(self.step, ran=1))
        self.assertTrue(self.machine.pass_time(INTERVAL, ran=1))
        self.assertIn("printed nothing for 300 s", self.machine.patience.why())

    def test_the_time_that_other_programs_take_does_not_count(self) -> None:
        self.assertFalse(self.machine.pass_time(4 * self.step - INTERVAL, ran=0.25, waited=0.75))
        self.assertTrue(self.machine.pass_time(INTERVAL, ran=0.25, waited=0.75))

    def test_a_machine_that_wants_little_has_no_more_time(self) -> None:
        self.assertFalse(self.machine.pass_time(self.step - INTERVAL, ran=0.25))
        self.assertTrue(self.machine.pass_time(INTERVAL, ran=0.25))

    def test_a_machine_that_stands_still_is_given_up_sooner(self) -> None:
        self.machine.pass_time(STILL, ran=1)
        self.assertFalse(self.machine.pass_time(STILL - INTERVAL))
        self.assertTrue(self.machine.pass_time(INTERVAL))
        self.assertEqual(self.machine.patience.why(), "nothing moved for 60 s")


class Processes(unittest.TestCase):
    def test_the_work_of_a_process_is_read(self) -> None:
        sum(range(1_000_000))
        self.assertGreater(work_of(os.getpid()).ran, 0)

    def test_a_process_that_is_not_there_has_done_nothing(self) -> None:
        self.assertEqual(work_of(-1), Work(0, 0))

    def test_children_of_children_are_found(self) -> None:
        script = "sleep 600 & echo $!; wait"
        with subprocess.Popen(
            ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as shell:
            assert shell.stdout is not None
            grandchild = int(shell.stdout.readline())
            wait_until(
                lambda: {shell.pid, grandchild} <= set(descendants(os.getpid())),
                "the processes are not found",
            )
            shell.kill()
            os.kill(grandchild, 9)

    def test_a_condition_that_never_holds_is_an_error_with_its_name(self) -> None:
        with self.assertRaisesRegex(LabError, r"no port is up \(nothing moved"):
            wait_until(lambda: False, "no port is up", 0.1)

    def test_a_program_is_read_to_its_end(self) -> None:
        done = run_to_end(["sh", "-c", "cat; echo no >&2; exit 3"], 10, "yes")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "yes", "no\n"))

    def test_what_is_typed_reaches_a_program_that_begins_late(self) -> None:
        self.assertEqual(run_to_end(["sh", "-c", "sleep 1.5; cat"], 10, "yes").stdout, "yes")

    def test_a_program_that_stands_still_is_ended(self) -> None:
        with self.assertRaisesRegex(LabError, r"did not end \(nothing moved.*sleep"):
            run_to_end(["sleep", "1000"], 0.1)


if __name__ == "__main__":
    unittest.main()
