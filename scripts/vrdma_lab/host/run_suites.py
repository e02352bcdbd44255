# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs suites of tests/lab on RDMA hosts.

CTest runs this module as a program, with the names of suites; everything has to be built and
prepared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import run_program
from vrdma_lab.host.places import choose_place
from vrdma_lab.host.suites import Suite, all_suites


def run_suites(
    suites: Iterable[Suite], kernel: str, pattern: str = "", report: Path | None = None
) -> bool:
    """Runs suites one after another; whether all passed.

    The reports go to a file of JSON, one object a suite.
    """
    reports = []
    passed = True
    place = choose_place("rxe", kernel)
    for suite in suites:
        print(f"lab: suite {suite.name} ...", file=sys.stderr, flush=True)
        status, found = place.run(suite, pattern)
        passed = passed and status == 0
        reports.append(found)
    if report is not None:
        report.write_text(json.dumps(reports, indent=2) + "\n")
    return passed


def _run_named() -> int:
    known = all_suites()
    try:
        return 0 if run_suites([known[name] for name in sys.argv[1:]], paths.KERNELS[0]) else 1
    except KeyError as unknown:
        print(f"lab: there is no suite {unknown}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(run_program("lab", _run_named))
