# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""sparse: address spaces, endianness and locks of the guest's driver, on each kernel.

vrdma_lab.cli.check has built the driver before, in build/frontend/RELEASE.  The flags are those
of that build, so that kbuild compiles nothing again, neither here nor for the tests later.
"""
from __future__ import annotations

import os
import re
from pathlib import Path

from vrdma_check import programs
from vrdma_check.check import CheckError, Context, Outcome
from vrdma_check.stamps import digest
from vrdma_check.tree import Tree

NAME = "sparse"
_FLAGS = "KCFLAGS=-Werror -g0"  # as vrdma_lab.setup.driver has them
_FINDING = re.compile(r"(?P<path>\S+?):(?P<line>\d+):\d+: (?P<text>(?:warning|error): .*)")


def findings_of(lines: list[str], tree: Tree, work: Path) -> list[str]:
    """sparse's messages about the project's files, which kbuild sees below WORK."""
    found = []
    known = set(tree.files)
    for line in lines:
        match = _FINDING.match(line)
        if not match:
            continue
        seen = work / match["path"]
        path = os.path.relpath(os.path.realpath(seen), tree.root)
        if path not in known:
            # A copy: the common headers are in a folder of their own there, too.
            path = os.path.relpath(seen, work)
            path = path if path.startswith("common/") else f"frontend/{path}"
        if path in known:
            found.append(f"{path}:{match['line']}: {match['text']}")
    return sorted(set(found))


def _judge(context: Context, series: str) -> list[str]:
    kernel = context.cache / "kernels" / series
    if not (kernel / "release").exists():
        raise CheckError(f"{kernel} is not there: run scripts/check sparse")
    release = (kernel / "release").read_text(encoding="utf-8").strip()
    tree, work = context.tree, context.tree.root / "build" / "frontend" / release
    version = programs.run(["sparse", "--version"], tree.root).output
    driver = [path for path in tree.files if path.startswith(("frontend/", "common/"))]
    key = digest([version, release,
                  *(part for path in driver for part in (path, tree.text(path)))])
    if context.stamps.has(NAME, key):
        return []
    ran = programs.run(["make", "-C", os.path.realpath(kernel / "build"), f"M={work}",
                        "-j", str(os.cpu_count() or 1), _FLAGS, "C=2", "modules"], tree.root)
    found = findings_of(ran.lines, tree, work)
    if ran.status != 0 and not found:
        raise CheckError("\n".join(ran.lines[-20:]))
    if not found:
        context.stamps.add(NAME, key)
    return found


def run(context: Context) -> Outcome:
    programs.find("sparse")
    all_series = ("6.1", "6.12")
    findings = [f"{finding} (kernel {series})" for series in all_series
                for finding in _judge(context, series)]
    return Outcome(findings, "kernels " + ", ".join(all_series))
