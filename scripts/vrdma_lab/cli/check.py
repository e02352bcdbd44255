# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/check: prepares the checks of the package vrdma_check and starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from vrdma_lab import paths
from vrdma_lab.cli import command
from vrdma_lab.setup.checkpatch import prepare_checkpatch
from vrdma_lab.setup.kernel import prepare_kernel
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.runner import Steps

_CHECKS = ("/usr/bin/python3", "-m", "vrdma_check")
# With these options, nothing is checked.
_ANSWERS = {"-h", "--help", "--list"}


def _prepare(needs: Sequence[str]) -> None:
    steps = Steps(sys.stdout)
    install_missing(steps, "check", *(("build",) if {"kernels", "packages"} & set(needs) else ()))
    if "kernels" in needs:
        for series in paths.KERNELS:
            prepare_kernel(steps, series)
    if "checkpatch" in needs:
        prepare_checkpatch(steps)


def _act(words: Sequence[str]) -> int:
    variables = {"VRDMA_SOURCE": str(paths.SOURCE), "VRDMA_CACHE": str(paths.cache())}
    environment = {**os.environ, **variables}
    if not _ANSWERS & set(words):
        # vrdma_check parses the options, and says what the chosen checks need.
        asked = subprocess.run(
            [*_CHECKS, "--needs", *words], env=environment, stdout=subprocess.PIPE, text=True
        )
        if asked.returncode != 0:
            return asked.returncode
        _prepare(asked.stdout.split())
    sys.stdout.flush()
    os.execve(_CHECKS[0], [*_CHECKS, *words], environment)


def main() -> int:
    return command.run("check", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
