# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Archives that the kernel unpacks into the file system it boots from."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class CpioWriter:
    """Writes a cpio archive in the kernel's "newc" format.

    The kernel unpacks all archives that follow each other in one file; with `append`, this one
    follows those that the file has.
    """

    def __init__(self, path: Path, append: bool = False) -> None:
        self._file = path.open("ab" if append else "wb")
        self._inode = 0
        self._known: set[str] = set()

    def _entry(self, name: str, mode: int, data: bytes) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._file.write(header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4))

    def folder(self, name: str) -> None:
        """A folder and those above it."""
        parts = name.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            path = "/".join(parts[:count])
            if path and path not in self._known:
                self._known.add(path)
                self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """A file, unless the archive has one of that name."""
        name = name.strip("/")
        if name in self._known:
            return
        self.folder(os.path.dirname(name))
        self._known.add(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        """A symbolic link, unless the archive has an entry of that name."""
        name = name.strip("/")
        if name in self._known:
            return
        self.folder(os.path.dirname(name))
        self._known.add(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def close(self) -> None:
        """Ends the archive."""
        self._entry("TRAILER!!!", 0, b"")
        self._file.close()
