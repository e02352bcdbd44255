# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Modules of a guest's kernel where modprobe looks for them."""

from __future__ import annotations

import shutil
from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.kernel_modules import module_bytes
from vrdma_lab.paths import Kernel


def _name(file: str) -> str:
    """The kernel's name for the module in a file."""
    return Path(file).name.split(".")[0].replace("-", "_")


def _dependencies(kernel: Kernel) -> dict[str, tuple[str, list[str]]]:
    """The file of each module, and the files that the module needs, as modules.dep has them.

    A file comes before those that it needs itself.
    """
    found = {}
    for line in (
        (kernel.tree / "lib" / "modules" / kernel.release / "modules.dep").read_text().splitlines()
    ):
        file, needed = line.split(":")
        found[_name(file)] = (file, needed.split())
    return found


def add_module_tree(
    archive: CpioWriter, kernel: Kernel, names: tuple[str, ...], top: str = ""
) -> None:
    """Adds modules of the kernel, with all modules that they need, below the folder `top`."""
    known = _dependencies(kernel)
    tree = kernel.tree / "lib" / "modules" / kernel.release
    folder = f"{top}/lib/modules/{kernel.release}"
    missing = [name for name in names if name not in known]
    if missing:
        raise LabError(f"kernel {kernel.release} has no module {missing[0]}")
    files = dict.fromkeys(file for name in names for file in (known[name][0], *known[name][1]))
    lines = []
    for file in files:
        name, data = module_bytes(tree / file)
        archive.file(f"{folder}/{Path(file).parent}/{name}", data)
        needed = " ".join(each.removesuffix(".xz") for each in known[_name(file)][1])
        lines.append(f"{file.removesuffix('.xz')}: {needed}\n")
    archive.file(f"{folder}/modules.dep", "".join(lines).encode())


def with_module_tree(base: Path, path: Path, kernel: Kernel, names: tuple[str, ...]) -> Path:
    """Writes an initramfs with the content of `base` and some modules of the kernel.

    The modules come with all modules that they need.
    """
    shutil.copyfile(base, path)
    archive = CpioWriter(path, append=True)
    add_module_tree(archive, kernel, names)
    archive.close()
    return path
