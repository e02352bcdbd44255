# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""DKMS as Debian has it, unpacked in the cache and not installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.runner import Runner, Steps

# The Debian that has DKMS 3.0, and the one that has 3.2.
SUITES = ("bookworm", "trixie")


def program(suite: str) -> Path:
    """The program dkms of a Debian."""
    return _folder(suite) / "usr" / "sbin" / "dkms"


def prepare_dkms(steps: Steps) -> None:
    """Fetches DKMS unless it is there."""
    with steps.step("DKMS", "dkms") as runner:
        for suite in SUITES:
            _fetch(runner, suite)


def _folder(suite: str) -> Path:
    return paths.cache() / "dkms" / suite


def _fetch(runner: Runner, suite: str) -> None:
    def make(folder: Path) -> None:
        (package,) = Apt(runner).download(suite, folder / "debs", ("dkms",))
        runner.run(["dpkg-deb", "-x", package, folder])
        shutil.rmtree(folder / "debs")

    cache.make_once(_folder(suite), make)
