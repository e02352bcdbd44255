# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs one version of rdma-core's tests on some targets, one after another.

    python3 -m vrdma_lab.conformance.job VERSION TARGETS REPORT PATTERN

TARGETS is "embedded", a guest on the embedded RNIC on this machine, or some of "native,direct",
which are on an RDMA host (see docs/lab.md). The report is a JSON object: the runner's lines for
each target.
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
from vrdma_lab.conformance.run import VERSIONS, Version, boot, run
from vrdma_lab.errors import LabError
from vrdma_lab.host.host_lab import HostLab, seen_inside
from vrdma_lab.host.places import machine_is_a_host
from vrdma_lab.lab.lab import Lab


def _embedded(version: Version, report: Path, pattern: str) -> None:
    with Lab(version.kernel) as lab:
        lab.start_daemon(1)
        guest = boot(lab, version)
        report.write_text(json.dumps({"embedded": run(guest, version, guest.ip, pattern)}))


def _on_rdma_host(version: Version, targets: str, report: Path, pattern: str) -> None:
    command = ["/usr/bin/python3", "-m", "vrdma_lab.conformance.host", version.name, targets]
    if machine_is_a_host(version.kernel):
        environment = {**os.environ, **paths.python_environment()}
        status = subprocess.run([*command, str(report), pattern], env=environment).returncode
    else:
        with HostLab(1, "rxe", version.kernel) as lab:
            (host,) = lab.hosts
            inside = lab.share / "report.json"
            words = shlex.join([*command, str(seen_inside(inside, lab)), pattern])
            outcome = host.follow(f"{lab.environment(host)}exec {words} 2>&1")
            status = outcome.status
            sys.stderr.write(outcome.output)
            if status == 0:
                report.write_bytes(inside.read_bytes())
    if status != 0:
        raise LabError(f"status {status} from the RDMA host")


def _run() -> int:
    name, targets, report, pattern = sys.argv[1:]
    if targets == "embedded":
        _embedded(VERSIONS[name], Path(report), pattern)
    else:
        _on_rdma_host(VERSIONS[name], targets, Path(report), pattern)
    return 0


if __name__ == "__main__":
    sys.exit(run_program("conformance", _run))
