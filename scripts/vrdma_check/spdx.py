# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Each source file says in its first lines under which licence it is.

The licence is that of the file's folder.
"""
from __future__ import annotations

import re

from vrdma_check.check import Context, Outcome

# The first prefix that matches decides.
LICENCES = (
    ("frontend/", "GPL-2.0"),
    ("tests/e2e/guest/hostile/", "GPL-2.0"),
    ("qemu-device/", "GPL-2.0-or-later"),
    ("tests/connectx/", "GPL-2.0-or-later"),
    ("common/", "BSD-3-Clause"),
    ("", "Apache-2.0"),
)
_LINE = re.compile(r"SPDX-License-Identifier: (.+?)\s*(\*/|-->)?$")
# Documents are under the licence of their folder without saying so; JSON has no comments;
# a licence's text is not under a licence; two files of a Debian package have no comments.
_LEFT_OUT = re.compile(r"(^|/)LICENSES/|\.(md|json|svg)$|(^|/)\.(gitignore|gitattributes)$|"
                       r"^scripts/debian/(copyright|source/format)$")


def finding(path: str, text: str) -> str | None:
    wanted = next(licence for prefix, licence in LICENCES if path.startswith(prefix))
    for line in text.splitlines()[:3]:
        match = _LINE.search(line)
        if match:
            if match[1] == wanted:
                return None
            return f"{path}:1: the licence is {match[1]}, that of its folder is {wanted}"
    return f"{path}:1: no line 'SPDX-License-Identifier: {wanted}' at the top"


def run(context: Context) -> Outcome:
    files = [path for path in context.tree.files if not _LEFT_OUT.search(path)]
    found = [finding(path, context.tree.text(path)) for path in files]
    return Outcome([line for line in found if line is not None], f"{len(files)} files")
