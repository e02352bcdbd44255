# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The type of a check, its input and its outcome."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vrdma_check.stamps import Stamps
from vrdma_check.tree import Tree


class CheckError(Exception):
    """A check could not be made: a tool or a folder that it needs is not there."""


@dataclass(frozen=True)
class Context:
    """The input of every check.

    everything: judge all files where a check would look only at the changed ones
    base: the commit that changed files are compared with, None for the usual one
    seconds: so long after the start clang-tidy begins no further file, None for no end
    started: when this run began, on time.monotonic()'s clock
    """
    tree: Tree
    cache: Path
    stamps: Stamps
    everything: bool = False
    base: str | None = None
    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Outcome:
    """The findings of a check.  No findings means that the check passed."""
    findings: list[str] = field(default_factory=list)
    looked_at: str = ""


@dataclass(frozen=True)
class Check:
    """One line of `scripts/check --list`.

    needs: what scripts/check prepares before (see vrdma_lab.cli.check)
    mend: what the reader of a finding does next
    fix: mends what can be mended without a human, if anything
    """
    name: str
    about: str
    run: Callable[[Context], Outcome]
    mend: str
    needs: tuple[str, ...] = ()
    fix: Callable[[Context], None] | None = None
