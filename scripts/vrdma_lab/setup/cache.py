# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Folders in the cache that are made once, by one process at a time."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vrdma_lab import paths

_MARK = ".complete"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock on a file, which the kernel releases if this process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_complete(folder: Path, recipe: str = "") -> bool:
    """Whether the folder has been made, from this recipe."""
    try:
        return (folder / _MARK).read_text().strip() == recipe
    except OSError:
        return False


def mark_complete(folder: Path, recipe: str = "") -> None:
    """Says that the folder has been made, from this recipe."""
    (folder / _MARK).write_text(recipe + "\n" if recipe else "")


def make_once(folder: Path, make: Callable[[Path], None], recipe: str = "") -> None:
    """Makes a folder anew, unless it was made from this recipe before; `make` gets it empty.

    ValueError, if the folder is not one within the cache: what is there is removed.
    """
    if paths.cache() not in folder.parents:
        raise ValueError(f"{folder} is no folder within {paths.cache()}")
    with locked(folder.with_name(f"{folder.name}.lock")):
        if is_complete(folder, recipe):
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        mark_complete(folder, recipe)
