# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What the project takes from the source package of Debian 12's kernel, fetched once for all."""

from __future__ import annotations

import shutil
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.runner import Runner

PACKAGE = "linux-source-6.1"
SUITE = "bookworm"
# checkpatch.pl reads two lists that are beside it.
CHECKPATCH = tuple(
    f"scripts/{name}" for name in ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")
)
SIW = "drivers/infiniband/sw/siw"


def linux_source(runner: Runner) -> Path:
    """The folder with CHECKPATCH and SIW of the newest version, whose name the folder has."""
    apt = Apt(runner)
    folder = paths.cache() / "linux-source" / apt.version(SUITE, PACKAGE)
    cache.make_once(folder, lambda empty: _unpack(runner, apt, empty), " ".join((SIW, *CHECKPATCH)))
    return folder


def _unpack(runner: Runner, apt: Apt, folder: Path) -> None:
    (package,) = apt.download(SUITE, folder / "debs", (PACKAGE,))
    options = ("--strip-components=1", "--no-same-owner", "--wildcards")
    wanted = (f"*/{name}" for name in (f"{SIW}/*", *CHECKPATCH))
    runner.pipe(
        ["dpkg-deb", "--fsys-tarfile", package],
        ["tar", "-xO", "--wildcards", "*.tar.xz"],
        ["tar", "-xJ", "-C", folder, *options, *wanted],
    )
    shutil.rmtree(folder / "debs")
