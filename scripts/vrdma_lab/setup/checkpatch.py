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
from vrdma_lab.setup.runner import Runner, Steps

_SUITE = "bookworm"
# Linux' script reads two lists that are beside it.
_LINUX_FILES = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")


def prepare_checkpatch(steps: Steps) -> None:
    """Fetches both scripts, unless they are there."""
    folder = paths.cache() / "checkpatch"
    with steps.step("checkpatch of Linux and of QEMU", "checkpatch") as runner:
        cache.make_once(folder / "linux", lambda empty: _linux(runner, empty))
        cache.make_once(folder / "qemu", lambda empty: _qemu(runner, empty))


def _tar(folder: Path) -> list[str | Path]:
    """tar's command line that takes files out of a folder scripts/ right below the top."""
    return ["tar", "-xJ", "-C", folder, "--strip-components=2", "--no-same-owner", "--wildcards"]


def _linux(runner: Runner, folder: Path) -> None:
    work = folder / "work"
    (package,) = Apt(runner).download(_SUITE, work, ("linux-source-6.1",))
    runner.pipe(
        ["dpkg-deb", "--fsys-tarfile", package],
        ["tar", "-xO", "--wildcards", "*.tar.xz"],
        [*_tar(folder), *(f"*/scripts/{name}" for name in _LINUX_FILES)],
    )
    shutil.rmtree(work)


def _qemu(runner: Runner, folder: Path) -> None:
    work = folder / "work"
    Apt(runner).download_source(_SUITE, work, "qemu")
    (archive,) = work.glob("qemu_*.orig.tar.xz")
    runner.run([*_tar(folder), "-f", archive, "*/scripts/checkpatch.pl"])
    shutil.rmtree(work)
