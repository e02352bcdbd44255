# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs suites of tests/lab on RDMA hosts.

CTest runs this module as a program, with the names of suites; everything has to be built and
prepared.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import run_program
from vrdma_lab.host.places import choose_place
from vrdma_lab.host.suites import Suite, all_suites
from vrdma_lab.network.rnics import KINDS
from vrdma_lab.test_form import is_long


def run_suites(
    suites: Iterable[Suite], kernel: str, pattern: str = "", report: Path | None = None
) -> bool:
    """Runs suites one after another; whether all passed.

    The reports go to a file of JSON, one object a suite.
    """
    reports = []
    passed = True
    for suite in suites:
        place = choose_place(suite.rnic, kernel)
        print(f"lab: suite {suite.name} on {suite.rnic} ...", file=sys.stderr, flush=True)
        status, found = place.run(suite, pattern)
        passed = passed and status == 0
        reports.append(found)
    if report is not None:
        report.write_text(json.dumps(reports, indent=2) + "\n")
    return passed


def _run_named() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rnic", choices=KINDS)
    parser.add_argument("--short-form", metavar="REGEX", default="",
                        help="only tests whose names match, unless scripts/test --long runs this")
    parser.add_argument("suites", nargs="+", choices=all_suites())
    words = parser.parse_args()
    suites = [all_suites()[name].on(words.rnic) for name in words.suites]
    pattern = "" if is_long() else words.short_form
    return 0 if run_suites(suites, paths.KERNELS[0], pattern) else 1


if __name__ == "__main__":
    sys.exit(run_program("lab", _run_named))
