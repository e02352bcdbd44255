# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Remembers in the cache which texts passed a slow check.

A stamp is an empty file whose name is the hash of all that the verdict depends on: the
tool's version, its configuration and every text that it read.  The same text is therefore
never judged twice, also not in another clone.
"""
from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

_KEEP_SECONDS = 60 * 24 * 3600


def digest(parts: Iterable[str]) -> str:
    """One hash of the parts; where one part ends and the next begins counts."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        total.update(f"{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()


class Stamps:
    """The stamps below FOLDER, one folder for each check."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, check: str, key: str) -> bool:
        stamp = self._folder / check / key
        if not stamp.exists():
            return False
        os.utime(stamp)
        return True

    def add(self, check: str, key: str) -> None:
        folder = self._folder / check
        folder.mkdir(parents=True, exist_ok=True)
        (folder / key).touch()

    def tidy_up(self) -> None:
        """Removes the stamps that nothing has asked for in sixty days."""
        oldest = time.time() - _KEEP_SECONDS
        for stamp in self._folder.glob("*/*"):
            if stamp.stat().st_mtime < oldest:
                stamp.unlink(missing_ok=True)
