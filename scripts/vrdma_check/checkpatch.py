# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""checkpatch: the style of Linux for the driver, of QEMU for the QEMU device.

Linux' script takes its options from .checkpatch.conf.  QEMU's script has no options of the
kind: what it reports in vain is listed here.
"""
from __future__ import annotations

import re
from pathlib import Path

from vrdma_check import programs
from vrdma_check.check import CheckError, Context, Outcome
from vrdma_check.stamps import digest
from vrdma_check.tree import Style

NAME = "checkpatch"
_FINDING = re.compile(r"\S+?:\d+: (ERROR|WARNING|CHECK)")

# Messages of Linux' checkpatch about programs of a guest that are not the kernel's.
GUEST_LEFT_OUT = (
    # u32 and its like are the kernel's own.
    "PREFER_KERNEL_TYPES",
)

# Messages of Linux' checkpatch about the files with X-macros (common/vrdma_command_table.h).
X_MACROS = (
    "common/vrdma_command_table.h",
    "common/vrdma_counters.h",
    "frontend/verbs/counters.c",
    "common/vrdma_protocol.h",
)
X_MACROS_LEFT_OUT = (
    # A list, and a row of an enum that is made of it, are no expressions to put into parentheses.
    "COMPLEX_MACRO",
    # The list's argument is a macro's name, which is used once for each row.
    "MACRO_ARG_REUSE",
)

# Messages of QEMU's checkpatch that say nothing here, and why.
QEMU_LEFT_OUT = (
    # Lines of 100 columns are allowed here; the check "columns" judges them.
    "line over 80 characters",
    "line over 90 characters",
    # vrdma-qemu is a module out of tree: functions that QEMU's headers do not declare are
    # declared where they are used.
    "externs should be avoided in .c files",
    # Replies of vhost-user carry positive errno values.
    "return of an errno should typically be -ve",
    # The pages of the host's mmap are meant, in code that is also built without QEMU.
    "use qemu_real_host_page_size() instead of sysconf(_SC_PAGESIZE)",
    # Registers of a device are what volatile is for, in a program without a kernel.
    "Use of volatile is usually wrong",
)


def in_kernel(path: str) -> bool:
    return path.startswith(("frontend/", "common/"))


def script(cache: Path, project: str) -> Path:
    """The script of PROJECT (linux or qemu), which vrdma_lab.cli.check has fetched."""
    path = cache / "checkpatch" / project / "checkpatch.pl"
    if not path.exists():
        raise CheckError(f"{path} is not there: run scripts/check checkpatch")
    return path


def findings_of(lines: list[str], left_out: tuple[str, ...] = ()) -> list[str]:
    return [line for line in lines
            if _FINDING.match(line) and not any(words in line for words in left_out)]


def _key(context: Context, command: list[str], left_out: tuple[str, ...], path: str) -> str:
    """What the verdict on a file depends on: the fetched scripts and .checkpatch.conf, too."""
    tool = Path(command[1])
    read = [file for file in sorted(tool.parent.iterdir()) if file.is_file()]
    read += [context.tree.root / ".checkpatch.conf"]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in read if file.exists()]
    return digest([*texts, *command[2:], *left_out, path, context.tree.text(path)])


def _judge(context: Context, command: list[str], files: list[str],
           left_out: tuple[str, ...] = ()) -> list[str]:
    keys = {path: _key(context, command, left_out, path) for path in files}
    unknown = [path for path in files if not context.stamps.has(NAME, keys[path])]
    found: list[str] = []
    for ran in programs.in_parallel(
            lambda part: programs.run([*command, *part], context.tree.root),
            programs.shares(unknown)):
        if ran.status != 0 and not findings_of(ran.lines):
            raise CheckError("\n".join(ran.lines[-20:]))
        found += findings_of(ran.lines, left_out)
    failed = {line.partition(":")[0] for line in found}
    for path in unknown:
        if path not in failed:
            context.stamps.add(NAME, keys[path])
    return sorted(found)


def run(context: Context) -> Outcome:
    linux = ["perl", str(script(context.cache, "linux")), "--strict", "--no-tree", "--no-summary",
             "--terse", "--show-types", "-f"]
    qemu = ["perl", str(script(context.cache, "qemu")), "--no-tree", "--no-summary", "--terse",
            "-f"]
    kernel = context.tree.in_style(Style.KERNEL)
    lists = [path for path in kernel if path in X_MACROS]
    driver = [path for path in kernel if in_kernel(path) and path not in X_MACROS]
    device = context.tree.in_style(Style.QEMU)
    return Outcome(_judge(context, linux, driver) +
                   _judge(context, linux, lists, X_MACROS_LEFT_OUT) +
                   _judge(context, linux, [path for path in kernel if not in_kernel(path)],
                          GUEST_LEFT_OUT) +
                   _judge(context, qemu, device, QEMU_LEFT_OUT),
                   f"{len(kernel)} files as Linux has them, {len(device)} as QEMU has them")
