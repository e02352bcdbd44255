# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Prometheus and promtool of Debian 12.

Their package would start a server on this machine, so that its programs are unpacked into the
folder prometheus of the cache instead.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.runner import Runner, Steps

_SUITE = "bookworm"


def prepare_prometheus(steps: Steps) -> None:
    """Fetches the programs, unless they are there."""
    with steps.step("Prometheus", "prometheus") as runner:
        cache.make_once(paths.prometheus("prometheus").parent, lambda empty: _unpack(runner, empty))


def _unpack(runner: Runner, folder: Path) -> None:
    work = folder / "work"
    for package in Apt(runner).download(_SUITE, work, ["prometheus"]):
        runner.run(["dpkg-deb", "--extract", package, work])
    for program in ("prometheus", "promtool"):
        (work / "usr" / "bin" / program).rename(folder / program)
    shutil.rmtree(work)
