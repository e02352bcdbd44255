# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""scripts/lab itself, as its user meets it."""

from __future__ import annotations

import json
import signal
import subprocess
import unittest

from support_py.exchange import long_form_only
from support_py.program import ProgramTest
from vrdma_lab import paths
from vrdma_lab.children import raise_on_signals
from vrdma_lab.machine.progress import run_to_end

PATIENCE = 300


class Command(ProgramTest):
    program = paths.SOURCE / "scripts" / "lab"

    def lab(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A run of scripts/lab to its end, which leaves nothing."""
        result = run_to_end([self.program, *arguments], PATIENCE, stdin)
        self.assert_nothing_is_left()
        return result

    def test_a_command_has_its_output_and_its_status(self) -> None:
        result = self.lab("exec", "rdma link; test -c /dev/kvm && exit 3")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertRegex(result.stdout, r"\Alink rxe0/1 state ACTIVE")

    def test_a_shell_runs_what_comes_over_a_pipe(self) -> None:
        result = self.lab("--shell", stdin="cd /sys/class/infiniband\nls\nexit 4\n")
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertEqual(result.stdout, "rxe0\n")

    @long_form_only
    def test_suites_report_as_json(self) -> None:
        report = self.folder.with_suffix(".json")
        self.addCleanup(report.unlink, missing_ok=True)
        result = self.lab("run", "native", "--filter", "port", "--json", str(report))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        (suite,) = json.loads(report.read_text())
        self.assertEqual((suite["suite"], suite["ok"], len(suite["tests"])), ("native", True, 1))

    # e2e.interrupted_demo interrupts scripts/demo, which ends by the same code.
    @long_form_only
    def test_interrupted_in_a_command(self) -> None:
        self.assertEqual(self.end_with(signal.SIGINT, "here", "exec", "echo here; sleep 1000"), 130)

    def test_killed_in_a_command(self) -> None:
        self.assertEqual(
            self.end_with(signal.SIGKILL, "here", "exec", "echo here; sleep 1000"), -signal.SIGKILL
        )

    def test_the_suites_are_named(self) -> None:
        self.assertRegex(self.lab("--list").stdout, r"(?m)^native +The host's RNIC")

    def test_mistakes_are_refused(self) -> None:
        self.assert_refused()
        self.assert_refused("frobnicate")
        self.assert_refused("exec")
        self.assert_refused("run")
        self.assert_refused("run", "nothing")
        self.assert_refused("run", "native", "--all")
        self.assert_refused("run", "native", "--json", "/nowhere/x")
        self.assert_refused("--rnic", "mlx4", "--shell")
        self.assert_refused("--shell", "exec", "true")
        self.assert_refused("--bogus")


if __name__ == "__main__":
    raise_on_signals()
    unittest.main(verbosity=2)
