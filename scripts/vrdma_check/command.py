# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/check: options, and a line for each check."""
from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from vrdma_check import programs
from vrdma_check.check import Check, CheckError, Context
from vrdma_check.registry import CHECKS
from vrdma_check.stamps import Stamps
from vrdma_check.tree import Tree

# With the build of the driver before, all takes four minutes at most on two processors.
_SECONDS = 180.0
_SHOWN = 100

_ABOUT = """\
Judges the project's text: runs every check, or those that are named, and installs what they
need before.  Each check has a line with what it looked at; what it found is listed with what to
do next.  The status is 0 if nothing was found, 1 if something was or a check could not be made,
and 2 for a mistake in the options.
"""
_HOOK = """\
To have the quick checks made before each git push:

  printf '#!/bin/sh\\nexec scripts/check --hook < /dev/null\\n' > .git/hooks/pre-push
  chmod +x .git/hooks/pre-push

--hook leaves out what needs the guests' kernels (sparse), and judges by clang-tidy what changed
since main.  git push --no-verify pushes without.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/check", description=_ABOUT, epilog=_HOOK, allow_abbrev=False,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=98))
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these checks")
    parser.add_argument("--list", action="store_true", help="the checks, and what each judges")
    parser.add_argument("--all", action="store_true", dest="everything",
                        help="clang-tidy judges all files, however long that takes")
    parser.add_argument("--base", metavar="REF",
                        help="clang-tidy judges what changed since HEAD left REF (origin/main, or "
                             "main; on main itself, the last 20 commits)")
    parser.add_argument("--seconds", type=float, metavar="N",
                        help="clang-tidy begins no further file N seconds after the start (180, "
                             "and with --all without end)")
    parser.add_argument("--fix", action="store_true",
                        help="mend what can be mended without a human, then check: "
                             + ", ".join(check.name for check in CHECKS if check.fix))
    parser.add_argument("--hook", action="store_true", help="the checks for a hook, see below")
    # For the starter in bash: prints what it has to prepare, and checks nothing.
    parser.add_argument("--needs", action="store_true", help=argparse.SUPPRESS)
    return parser


def _chosen(parser: argparse.ArgumentParser, names: Sequence[str], hook: bool) -> list[Check]:
    known = [check.name for check in CHECKS]
    for name in names:
        if name not in known:
            parser.error(f"there is no check '{name}': {', '.join(known)}")
    return [check for check in CHECKS
            if (not names or check.name in names) and not (hook and "kernels" in check.needs)]


def _make(check: Check, context: Context) -> bool:
    """Makes one check and prints what came of it.  Says whether it passed."""
    begin = time.monotonic()
    print(f"{check.name:<14}", end="", flush=True)
    try:
        outcome = check.run(context)
    except CheckError as error:
        print(f"failed: {error}")
        return False
    took = f"{time.monotonic() - begin:.1f} s"
    if not outcome.findings:
        print(f"ok ({outcome.looked_at}; {took})")
        return True
    print(f"failed: {len(outcome.findings)} findings ({outcome.looked_at}; {took})")
    for finding in outcome.findings[:_SHOWN]:
        print("  " + finding.replace("\n", "\n  "))
    if len(outcome.findings) > _SHOWN:
        print(f"  and {len(outcome.findings) - _SHOWN} more")
    print(f"  To mend: {check.mend}")
    return False


def _interrupted(number: int, _frame: FrameType | None) -> None:
    programs.end_all()
    sys.exit(128 + number)


def main(arguments: Sequence[str]) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    chosen = _chosen(parser, options.names, options.hook)
    if options.list:
        for check in CHECKS:
            print(f"{check.name:<14}{check.about}")
        return 0
    if options.needs:
        print(*sorted({need for check in chosen for need in check.needs}))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    root = Path(os.environ["VRDMA_SOURCE"])
    cache = Path(os.environ["VRDMA_CACHE"])
    seconds = options.seconds
    if seconds is None and not options.everything:
        seconds = _SECONDS
    context = Context(Tree(root), cache, Stamps(cache / "check"), options.everything,
                      options.base, seconds or None)
    try:
        context.tree.git("rev-parse", "--git-dir")
    except (OSError, subprocess.CalledProcessError):
        print("vrdma: scripts/check needs a git clone: git says which files are the project's",
              file=sys.stderr)
        return 1
    failed = []
    for check in chosen:
        if options.fix and check.fix:
            check.fix(context)
        if not _make(check, context):
            failed.append(check.name)
    context.stamps.tidy_up()
    if failed:
        print(f"{len(chosen) - len(failed)} checks passed, failed: {', '.join(failed)}")
        return 1
    print(f"{len(chosen)} checks passed")
    return 0
