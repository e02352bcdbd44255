# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The project's files, and which style of code each of them has."""
from __future__ import annotations

import enum
import functools
import re
import subprocess
from pathlib import Path

SHELL = re.compile(r"#!\s*(/usr)?/bin/(env )?(ba|da)?sh\b|# shellcheck shell=")
PYTHON = re.compile(r"#!\s*/usr/bin/(env )?python3")


class Style(enum.Enum):
    """The project whose rules a file in C or C++ follows."""
    PROJECT = "clang-format"
    KERNEL = "Linux' checkpatch"
    QEMU = "QEMU's checkpatch"


# The first prefix that matches decides.  Programs that run inside a guest beside the
# driver are written as the driver is.
_STYLES = (
    ("frontend/", Style.KERNEL),
    ("common/", Style.KERNEL),
    ("scripts/", Style.KERNEL),
    ("tests/e2e/guest/", Style.KERNEL),
    ("qemu-device/", Style.QEMU),
    ("", Style.PROJECT),
)


def style_of(path: str) -> Style | None:
    """The style of a file in C or C++, None for any other file."""
    if not path.endswith((".c", ".cc", ".h")):
        return None
    return next(style for prefix, style in _STYLES if path.startswith(prefix))


class Tree:
    """The files below ROOT that git tracks, or would track once added.

    Paths are strings relative to the root.  Each file is read once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str] = {}

    @functools.cached_property
    def files(self) -> list[str]:
        listed = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        paths = sorted(set(listed.split("\0")) - {""})
        return [path for path in paths
                if (self.root / path).is_file() and not (self.root / path).is_symlink()]

    @functools.cached_property
    def shell(self) -> list[str]:
        """Every shell script, by its first line."""
        return [path for path in self.files if SHELL.match(self.text(path))]

    @functools.cached_property
    def python(self) -> list[str]:
        """Every Python file, by its name or its first line."""
        return [path for path in self.files
                if path.endswith(".py") or PYTHON.match(self.text(path))]

    def in_style(self, style: Style) -> list[str]:
        return [path for path in self.files if style_of(path) is style]

    def text(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def forget(self) -> None:
        """Reads the files anew, after something has changed them."""
        self._texts.clear()

    def git(self, *arguments: str) -> str:
        """The output of git; subprocess.CalledProcessError if git refuses."""
        return subprocess.run(["git", *arguments], cwd=self.root, check=True, text=True,
                              capture_output=True).stdout
