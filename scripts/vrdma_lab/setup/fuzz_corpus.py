# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The corpora of the fuzz targets, as the repository keeps them.

tests/fuzz/corpora/TARGET.hex has one input a line, in hexadecimal: text, whose changes can be
read, and small.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vrdma_lab import paths

# A corpus has at most so many bytes, and an input of it at most so many.
LIMIT = 16384
_LONGEST = 1024
_HEAD = "# SPDX-License-Identifier: Apache-2.0\n# Copyright (c) 2026 the vrdma authors\n"


def corpus_file(target: str) -> Path:
    """Where a target's corpus is."""
    return paths.SOURCE / "tests" / "fuzz" / "corpora" / f"{target}.hex"


def read_corpus(target: str) -> list[bytes]:
    """The inputs that the repository keeps for a target."""
    file = corpus_file(target)
    if not file.exists():
        return []
    lines = file.read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]


def choose(inputs: Iterable[bytes]) -> list[bytes]:
    """As many inputs as the limit takes, the smallest first."""
    chosen: list[bytes] = []
    size = 0
    for data in sorted(set(inputs), key=lambda each: (len(each), each)):
        if not data or len(data) > _LONGEST or size + len(data) > LIMIT:
            continue
        chosen.append(data)
        size += len(data)
    return chosen


def write_corpus(target: str, inputs: Iterable[bytes]) -> None:
    """Replaces a target's corpus."""
    file = corpus_file(target)
    file.parent.mkdir(exist_ok=True)
    text = "".join(f"{data.hex()}\n" for data in inputs)
    file.write_text(f"{_HEAD}# Written by: scripts/fuzz {target} --keep\n{text}")
