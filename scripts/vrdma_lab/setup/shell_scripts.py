# SPDX-License-Identifier: Apache-2.0
"""The project's shell scripts, checked by shellcheck."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.setup.runner import Steps

_SHEBANGS = (b"#!/bin/sh", b"#!/bin/bash")
_DIRECTIVE = b"# shellcheck shell="
_OTHERS = {"build", ".git"}


def scripts(source: Path) -> Iterator[Path]:
    """Every shell script of the project; a shell script is known by its first lines."""
    for parent, folders, files in os.walk(source):
        folders[:] = sorted(set(folders) - _OTHERS)
        for name in sorted(files):
            file = Path(parent) / name
            if file.is_file() and is_shell(file):
                yield file


def is_shell(file: Path) -> bool:
    """Whether a file is a shell script."""
    with file.open("rb") as stream:
        lines = stream.read(256).splitlines()
    return bool(lines) and (
        lines[0].startswith(_SHEBANGS) or any(line.startswith(_DIRECTIVE) for line in lines)
    )


def check_scripts(steps: Steps) -> None:
    """Checks all shell scripts of the project."""
    with steps.step("Checking the scripts", "shellcheck") as runner:
        found = [script.relative_to(paths.SOURCE) for script in scripts(paths.SOURCE)]
        runner.run(
            ["shellcheck", "-x", "-P", "SCRIPTDIR", "-P", "scripts/lib", *found], paths.SOURCE
        )
