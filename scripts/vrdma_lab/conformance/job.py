# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs one version of rdma-core's tests on some targets, one after another.

    python3 -m vrdma_lab.conformance.job VERSION TARGETS REPORT PATTERN

TARGETS are the names of targets (targets.py) that share an RDMA host (see docs/lab.md), or of the
one that needs none. The report is a JSON object: "runs" has the runner's lines for each target, and
"violations" what the model of an adapter saw that it forbids.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import run_program
from vrdma_lab.conformance.run import VERSIONS, Line, Version, boot, run
from vrdma_lab.conformance.targets import TARGETS
from vrdma_lab.errors import LabError
from vrdma_lab.host.host_lab import HostLab, seen_inside
from vrdma_lab.host.places import machine_is_a_host
from vrdma_lab.lab.lab import Lab
from vrdma_lab.network.rnics import KINDS


def _write(report: Path, runs: dict[str, list[Line]], violations: list[str]) -> None:
    report.write_text(json.dumps({"runs": runs, "violations": violations}))


def _embedded(version: Version, target: str, report: Path, pattern: str) -> None:
    with Lab(version.kernel) as lab:
        lab.start_daemon(1)
        guest = boot(lab, version)
        _write(report, {target: run(guest, version, guest.ip, pattern)}, [])


def _on_rdma_host(
    version: Version, targets: str, rnic: str, report: Path, pattern: str
) -> None:
    command = ["/usr/bin/python3", "-m", "vrdma_lab.conformance.host", version.name, targets]
    violations: list[str] = []
    if not KINDS[rnic].model and machine_is_a_host(version.kernel):
        environment = {**os.environ, **paths.python_environment()}
        status = subprocess.run([*command, str(report), pattern], env=environment).returncode
    else:
        with HostLab(1, rnic, version.kernel) as lab:
            (host,) = lab.hosts
            inside = lab.share / "report.json"
            words = shlex.join([*command, str(seen_inside(inside, lab)), pattern])
            outcome = host.follow(f"{lab.environment(host)}exec {words} 2>&1")
            status = outcome.status
            sys.stderr.write(outcome.output)
            if status == 0:
                report.write_bytes(inside.read_bytes())
            violations = lab.violations()
    if status != 0:
        raise LabError(f"status {status} from the RDMA host")
    _write(report, json.loads(report.read_text()), violations)


def _run() -> int:
    name, targets, report, pattern = sys.argv[1:]
    (rnic,) = {TARGETS[target].rnic for target in targets.split(",")}
    if rnic:
        _on_rdma_host(VERSIONS[name], targets, rnic, Path(report), pattern)
    else:
        _embedded(VERSIONS[name], targets, Path(report), pattern)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("conformance", _run))
