# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Who includes whom among the project's own files."""
from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vrdma_check.tree import Tree

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.MULTILINE)


@dataclass(frozen=True)
class Include:
    """One line of a file that includes another file of the project."""
    source: str
    line: int
    target: str


class IncludeGraph:
    """The arrows between files.  FOLDERS are searched as -I has the compiler do it."""

    def __init__(self, tree: Tree, folders: Sequence[str]) -> None:
        self._tree = tree
        self._files = set(tree.files)
        self._folders = tuple(folders)
        self._known: dict[str, list[Include]] = {}

    def _find(self, source: str, name: str) -> str | None:
        for folder in (os.path.dirname(source), *self._folders):
            path = os.path.normpath(os.path.join(folder, name))
            if path in self._files:
                return path
        return None

    def of(self, source: str) -> list[Include]:
        """The files that SOURCE includes itself."""
        if source not in self._known:
            found = []
            text = self._tree.text(source)
            for match in _INCLUDE.finditer(text):
                target = self._find(source, match[1])
                if target is not None:
                    line = text.count("\n", 0, match.start()) + 1
                    found.append(Include(source, line, target))
            self._known[source] = found
        return self._known[source]

    def all_of(self, source: str) -> set[str]:
        """SOURCE and all that it includes, directly or not."""
        reached, waiting = {source}, [source]
        while waiting:
            for include in self.of(waiting.pop()):
                if include.target not in reached:
                    reached.add(include.target)
                    waiting.append(include.target)
        return reached

    def between(self, files: Iterable[str]) -> list[Include]:
        return [include for path in files for include in self.of(path)]
