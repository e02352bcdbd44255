# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The checks, in the order in which they run: the quick ones first."""
from __future__ import annotations

from vrdma_check import (checkpatch, clang_format, clang_tidy, columns, flake8, floors, messages,
                         mypy, named_tests, prose, shellcheck, sparse, spdx)
from vrdma_check.check import Check

CHECKS = (
    Check("columns", "lines of at most 100 columns, in code and documents", columns.run,
          mend="break the lines; rows of Markdown tables and single words may be longer"),
    Check("spdx", "each source file names its licence, which is that of its folder", spdx.run,
          mend="write the line as the file's neighbours have it"),
    Check("floors", "includes go downwards only, as floors.toml has the rooms", floors.run,
          mend="turn the arrow round, or move what is shared down; a new room gets a floor in "
               "scripts/vrdma_check/floors.toml"),
    Check("prose", "no sentence in comments and documents begins with the object", prose.run,
          mend="put the subject first"),
    Check("named-tests", "the tests that documents name as holders of promises exist",
          named_tests.run,
          mend="write the name as the test has it now, with its suite, or add the test"),
    Check("messages", "each warning and error for people is in docs/troubleshooting.md",
          messages.run,
          mend="write the message, its cause and what helps into the table of its part"),
    Check("clang-format", "layout of the project's C and C++", clang_format.run,
          mend="scripts/check --fix clang-format", fix=clang_format.fix),
    Check("shellcheck", "every shell script", shellcheck.run,
          mend="see https://www.shellcheck.net/wiki/ for each code"),
    Check("flake8", "names, imports and layout of Python", flake8.run,
          mend="mend the lines; a false alarm gets '# noqa: CODE' with a reason"),
    Check("mypy", "types of Python", mypy.run,
          mend="mend the types; a false alarm gets '# type: ignore[CODE]' with a reason"),
    Check("checkpatch", "style of Linux in the driver, of QEMU in the QEMU device",
          checkpatch.run, needs=("checkpatch",),
          mend="mend the lines; false alarms are listed in .checkpatch.conf and checkpatch.py"),
    Check("sparse", "address spaces, endianness and locks of the driver", sparse.run,
          needs=("kernels",), mend="mark the pointers and fields as the kernel does"),
    Check(clang_tidy.NAME, "clang-tidy on what changed and what includes it; --all: on all",
          clang_tidy.run, needs=("packages",),
          mend="mend the lines; a false alarm gets NOLINT(CHECK) with a reason, a check that has "
               "nothing to say here goes into .clang-tidy with its reason"),
)
