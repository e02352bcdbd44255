# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/package: Debian packages, built in clean Debians."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.cli import command
from vrdma_lab.cli.command import Parser
from vrdma_lab.packages.build import build_packages, check_equal
from vrdma_lab.packages.clean_debian import SUITES
from vrdma_lab.setup.build import build_all_qemu_devices
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.runner import Steps

HELP = """\
usage: scripts/package [--suite NAME]... [--output FOLDER] [--twice]

Builds the Debian packages vrdma, qemu-vrdma, vrdma-dkms and vrdma-doc of what is in
this clone, in clean Debians and without a network there, and has lintian judge them:
an error or a warning of lintian's is a failure.

  --suite NAME     bookworm or trixie; may be repeated (both)
  --output FOLDER  where they go, below it a folder for each suite (build/packages)
  --twice          build all twice, and fail unless both times are equal
  --help           this text

The clean Debians are made once and kept in the cache.  The status is 0 if all was
built, 1 if something failed and 2 for a mistake in the options.
"""


def _act(words: Sequence[str]) -> int:
    parser = Parser(HELP)
    parser.add_argument("--suite", action="append", dest="suites",
                        type=command.one_of("Debian", SUITES))
    parser.add_argument("--output", type=Path, default=paths.SOURCE / "build" / "packages")
    parser.add_argument("--twice", action="store_true")
    options = parser.parse(words)
    steps = Steps(sys.stderr)
    install_missing(steps, "build", "package")
    build_all_qemu_devices(steps)
    for suite in options.suites or SUITES:
        output = options.output / suite
        with steps.step(f"Packages for {suite}", f"package-{suite}") as runner:
            made = build_packages(runner, suite, output)
        if options.twice:
            with steps.step(f"Packages for {suite}, again", f"package-{suite}-again") as runner:
                again = options.output / f"{suite}-again"
                build_packages(runner, suite, again, anew=True)
                check_equal(output, again)
        for package in made:
            print(package)
    return 0


def main() -> int:
    return command.run("package", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
