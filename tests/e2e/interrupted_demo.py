# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""scripts/demo leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import signal

from support_py.e2e import KERNEL, PATIENCE, long_form_only, main
from support_py.program import ProgramTest
from vrdma_lab import paths
from vrdma_lab.machine.progress import communicate

OPTIONS = ("--kernel", KERNEL)


class Demo(ProgramTest):
    program = paths.SOURCE / "scripts" / "demo"

    @long_form_only
    def test_interrupted_while_the_guests_boot(self) -> None:
        self.assertEqual(self.end_with(signal.SIGINT, "Booting", *OPTIONS), 130)

    def test_interrupted_in_mid_transfer(self) -> None:
        self.assertEqual(self.end_with(signal.SIGINT, "[ 2/", *OPTIONS), 130)

    @long_form_only
    def test_terminated_in_mid_transfer(self) -> None:
        self.assertEqual(self.end_with(signal.SIGTERM, "[ 2/", *OPTIONS), 143)

    # lab.command kills scripts/lab, which ends by the same code.
    @long_form_only
    def test_killed_in_mid_transfer(self) -> None:
        self.assertEqual(self.end_with(signal.SIGKILL, "[ 2/", *OPTIONS), -signal.SIGKILL)

    def test_run_to_its_end(self) -> None:
        report = self.folder.with_suffix(".json")
        self.addCleanup(report.unlink, missing_ok=True)
        demo = self.start(*OPTIONS, "--json", str(report))
        output, _ = communicate(demo, PATIENCE)
        self.assertEqual(demo.returncode, 0, output)
        self.assert_nothing_is_left()
        rows = json.loads(report.read_text())
        self.assertGreater(len(rows), 20)
        for row in rows:
            self.assertEqual(
                set(row), {"test", "from", "to", "bytes", "latency_us", "mbit_per_s", "ok"}
            )
            self.assertIs(row["ok"], True, row)
            self.assertTrue(row["latency_us"] or row["mbit_per_s"], row)

    def test_mistakes_in_the_options_are_refused(self) -> None:
        self.assert_refused("--kernel", "5.10")
        self.assert_refused("--guests", "1")
        self.assert_refused("--guests", "9")
        self.assert_refused("--json", "/nowhere/x")
        self.assert_refused("--bogus")
        self.assert_refused("--json")


if __name__ == "__main__":
    main()
