# SPDX-License-Identifier: Apache-2.0
"""The guest driver vrdma.ko, built for a guest kernel."""

from __future__ import annotations

import shutil
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup.runner import Steps, processors

_SUFFIXES = (".c", ".h")
# kbuild makes these beside the sources.
_GENERATED_SUFFIX = ".mod.c"


def build_driver(steps: Steps, kernel: paths.Kernel) -> None:
    """Builds vrdma.ko for a guest kernel.

    kbuild writes beside the sources, so it gets a copy of them for each kernel.
    """
    work = paths.SOURCE / "build" / "frontend" / kernel.release
    with steps.step(
        f"Building vrdma.ko (guest kernel {kernel.series})", f"build-driver-{kernel.series}"
    ) as runner:
        mirror(paths.SOURCE / "frontend", work, keep=Path("common"))
        mirror(paths.SOURCE / "common", work / "common")
        build = (paths.kernel_folder(kernel.series) / "build").resolve()
        runner.run(
            ["make", "-C", build, f"M={work}", "-j", processors(), "KCFLAGS=-Werror", "modules"]
        )


def mirror(source: Path, target: Path, keep: Path | None = None) -> None:
    """Copies the new and changed sources of a tree, and removes copies of those that are gone.

    Files below `keep`, a path in the target, stay as they are.
    """
    wanted = _sources(source)
    for name in wanted:
        original, copy = source / name, target / name
        if not copy.exists() or _state(copy) != _state(original):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(original, copy)
    for name in _sources(target) - wanted:
        if keep is None or keep not in name.parents:
            (target / name).unlink()


def _state(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size


def _sources(folder: Path) -> set[Path]:
    files = (
        file for file in folder.rglob("*") if file.suffix in _SUFFIXES or file.name == "Kbuild"
    )
    return {file.relative_to(folder) for file in files if not file.name.endswith(_GENERATED_SUFFIX)}
