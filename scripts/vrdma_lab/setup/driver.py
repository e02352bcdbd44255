# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The guest driver vrdma.ko, built for a guest kernel, once for the same sources."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup import cache
from vrdma_lab.setup.runner import Runner, Steps, processors

# scripts/check has sparse judge the same build with the same flags: with others, kbuild would
# compile everything again. Guests get the module without debug information.
_FLAGS = "KCFLAGS=-Werror -g0"
# The test modules that take the place of the driver include the second file.
_KEPT = ("vrdma.ko", "kernel_has.h")
_KEEP_SECONDS = 14 * 24 * 3600


def build_driver(steps: Steps, kernel: paths.Kernel) -> None:
    """Builds vrdma.ko for a guest kernel, in a folder of that kernel's.

    The driver's Makefile links the sources there, since kbuild writes beside them.  The cache keeps
    what is built, since kbuild names the folder to the compiler, whom ccache could only answer for
    the same clone.
    """
    with steps.step(
        f"Building vrdma.ko (guest kernel {kernel.series})", f"build-driver-{kernel.series}"
    ) as runner:
        folder = paths.kernel_folder(kernel.series)
        headers = (folder / "build").resolve()
        target = paths.SOURCE / "build" / "frontend" / kernel.release
        listed = folder / "arguments"
        arguments = listed.read_text().split() if listed.exists() else []
        driver = paths.SOURCE / "frontend"
        make: list[str | Path] = ["make", "-C", driver, f"KDIR={headers}", f"BUILD={target}"]
        runner.run([*make, "tree"])
        wanted = _digest(runner, kernel, arguments)

        def build(empty: Path) -> None:
            runner.run([*make, *arguments, "-j", processors(), _FLAGS, "modules"])
            for name in _KEPT:
                shutil.copy(target / name, empty)

        drivers = paths.cache() / "drivers"
        cache.make_once(drivers / wanted, build)
        (drivers / wanted).touch()
        for name in _KEPT:
            shutil.copy(drivers / wanted / name, target)
        _tidy_up(drivers)


def _digest(runner: Runner, kernel: paths.Kernel, arguments: list[str]) -> str:
    """Of all that the module depends on."""
    total = hashlib.sha256()
    for part in (kernel.release, *_KEPT, _FLAGS, *arguments, runner.read(["gcc", "--version"])):
        total.update(f"{len(part)}:{part}".encode())
    for folder in ("frontend", "common"):
        for file in sorted((paths.SOURCE / folder).rglob("*")):
            if file.suffix in (".c", ".h") or file.name in ("Kbuild", "Makefile", "dkms.conf"):
                data = file.read_bytes()
                total.update(f"{file.relative_to(paths.SOURCE)}:{len(data)}:".encode() + data)
    return f"{kernel.series}-{total.hexdigest()[:32]}"


def _tidy_up(drivers: Path) -> None:
    """Removes the modules that nothing has asked for in two weeks."""
    oldest = time.time() - _KEEP_SECONDS
    for folder in drivers.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)
