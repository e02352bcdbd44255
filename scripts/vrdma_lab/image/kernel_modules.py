# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The files of a kernel's modules."""

from __future__ import annotations

import lzma
import os
import subprocess
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError


def modules(kernel: paths.Kernel, names: tuple[str, ...]) -> list[Path]:
    """The files of some modules and of all that they depend on, each after those it depends on."""
    files: list[Path] = []
    for name in names:
        command = ["modprobe", "-d", str(kernel.tree), "-S", kernel.release, "--show-depends", name]
        shown = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PATH": paths.sbin_path()}
        )
        if shown.returncode != 0:
            raise LabError(f"kernel {kernel.release} has no module {name}: {shown.stderr.strip()}")
        for line in shown.stdout.splitlines():
            words = line.split()
            if words and words[0] == "insmod" and Path(words[1]) not in files:
                files.append(Path(words[1]))
    return files


def module_bytes(path: Path) -> tuple[str, bytes]:
    """The name of a module's file and its content, both uncompressed."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return path.stem, lzma.decompress(data)
    return path.name, data
