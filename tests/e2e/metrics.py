# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A Prometheus that asks vrdma-exporter, beside guests that use their devices."""

from __future__ import annotations

import subprocess
import time

from support_py.e2e import LabTest, main
from vrdma_lab import paths
from vrdma_lab.machine.progress import Patience, run_to_end, wait_until
from vrdma_lab.monitoring import dashboard
from vrdma_lab.monitoring.prometheus import RULES, Exporter, Prometheus
from vrdma_lab.programs.traffic import Exchange

SHOWN = 900  # seconds of a panel
LOOKS = 10  # seconds in which Prometheus asks for the metrics several times


def promtool(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return run_to_end([paths.prometheus("promtool"), *words], 60, text)


class Metrics(LabTest):
    exporter: Exporter
    prometheus: Prometheus

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.exporter = Exporter(cls.lab.daemon.control_socket, cls.lab.folder)
        cls.addClassCleanup(cls.exporter.stop)
        cls.prometheus = Prometheus(cls.exporter, cls.lab.folder)
        cls.addClassCleanup(cls.prometheus.stop)

    def test_promtool_finds_nothing_in_the_metrics(self) -> None:
        result = promtool("check", "metrics", text=self.exporter.metrics())
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_promtool_finds_nothing_in_the_rules(self) -> None:
        result = promtool("check", "rules", str(RULES))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"SUCCESS: [1-9]\d* rules found")

    def wait_sampled(self, metric: str) -> None:
        wait_until(lambda: bool(self.prometheus.lines(metric, SHOWN)), f"Prometheus has {metric}")

    def reach_a_limit(self) -> None:
        """Guest a wants more queue pairs than it may have from now on."""
        a = self.lab.guests[0]
        self.wait_sampled("vrdma_guest_limit_reached_total")
        ctl = [str(paths.vrdmactl()), "--socket", str(self.lab.daemon.control_socket)]
        self.assertEqual(run_to_end([*ctl, "limits", "a", "queue_pairs=3"], 60).returncode, 0)
        self.assertFalse(a.run(f"ibv_srq_pingpong -d vrdma0 -g {a.gid_index()} -q 3").ok)

    def test_an_alert_tells_of_a_guest_that_reaches_a_limit(self) -> None:
        self.reach_a_limit()
        wait_until(lambda: "VrdmaGuestReachesLimit" in self.prometheus.firing(), "the alert is on")

    def test_each_panel_of_the_dashboard_has_lines(self) -> None:
        a, b = self.lab.guests
        self.reach_a_limit()
        self.exchange(b, a, Exchange("ib_write_bw", 65536, 2000))
        # Each first line comes at the next look of Prometheus, or the next but one for a rate.
        empty = [query.expression for panel in dashboard.panels(SHOWN) for query in panel.queries]
        deadline = Patience(LOOKS)
        while self.still_empty(empty) and not deadline.over:
            time.sleep(1)
        self.assertEqual(empty, [], "expressions without a line")

    def still_empty(self, expressions: list[str]) -> list[str]:
        """Removes the expressions that have a line by now."""
        for expression in [*expressions]:
            if self.prometheus.lines(expression, SHOWN):
                expressions.remove(expression)
        return expressions


if __name__ == "__main__":
    main()
