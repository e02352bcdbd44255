# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Packs a root tree into a cpio archive that may follow an initramfs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vrdma_lab.image.cpio import CpioWriter


def pack(tree: Path, name: str, archive: CpioWriter) -> None:
    """Adds a folder with all that is in it."""
    archive.folder(name)
    for entry in sorted(os.scandir(tree), key=lambda each: each.name):
        path = f"{name}/{entry.name}"
        if entry.is_symlink():
            archive.link(path, os.readlink(entry.path))
        elif entry.is_dir():
            pack(Path(entry.path), path, archive)
        elif entry.is_file():
            archive.file(path, Path(entry.path).read_bytes(), stat.S_IMODE(entry.stat().st_mode))


def write_archive(tree: Path, name: str, path: Path) -> None:
    """Writes an archive that has the tree in the folder `name`."""
    archive = CpioWriter(path)
    pack(tree, name, archive)
    archive.close()
