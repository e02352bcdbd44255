# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The commands of docs/quickstart.md, block by block."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths

PAGE = paths.SOURCE / "docs" / "quickstart.md"
ON_THE_HOST = "On the host"
IN_BOTH = "In both virtual machines"
RDMA = "RDMA"
_PART = re.compile(
    r"^## (?P<section>[^\n]*)$|^```sh\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """Commands that a reader copies at once."""

    section: str
    introduction: str  # the paragraph above it
    commands: str

    def is_for(self, debian: str) -> bool:
        """Whether a reader with this Debian ("12") runs it: it may be for another one alone."""
        only = re.match(r"On Debian (\d+)\b", self.introduction)
        return only is None or only.group(1) == debian


def blocks(page: Path = PAGE) -> list[Block]:
    """The blocks of the page, in order."""
    text = page.read_text()
    found = []
    section, end = "", 0
    for part in _PART.finditer(text):
        if part["section"] is not None:
            section = part["section"]
        else:
            paragraph = text[end:part.start()].strip().split("\n\n")[-1]
            found.append(Block(section, paragraph, part["commands"]))
        end = part.end()
    return found
