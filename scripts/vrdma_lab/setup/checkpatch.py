# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""checkpatch.pl of Linux and of QEMU, each from the source package of Debian 12.

They are in the folders checkpatch/linux and checkpatch/qemu of the cache.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.linux_source import CHECKPATCH, linux_source
from vrdma_lab.setup.runner import Runner, Steps

_SUITE = "bookworm"


def prepare_checkpatch(steps: Steps) -> None:
    """Fetches both scripts, unless they are there."""
    folder = paths.cache() / "checkpatch"
    with steps.step("checkpatch of Linux and of QEMU", "checkpatch") as runner:
        cache.make_once(folder / "linux", lambda empty: _linux(runner, empty))
        cache.make_once(folder / "qemu", lambda empty: _qemu(runner, empty))


def _linux(runner: Runner, folder: Path) -> None:
    source = linux_source(runner)
    for name in CHECKPATCH:
        shutil.copy(source / name, folder)


def _qemu(runner: Runner, folder: Path) -> None:
    work = folder / "work"
    Apt(runner).download_source(_SUITE, work, "qemu")
    (archive,) = work.glob("qemu_*.orig.tar.xz")
    # The script is in a folder scripts/ right below the top.
    options = ("--strip-components=2", "--no-same-owner", "--wildcards")
    runner.run(["tar", "-xJ", "-C", folder, *options, "-f", archive, "*/scripts/checkpatch.pl"])
    shutil.rmtree(work)
