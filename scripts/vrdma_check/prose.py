# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Sentences that must be turned round to be understood.

Only comments and documents are read, and only what is sure: a sentence that begins with one of
the words below.  Whether a sentence is clear remains for humans to judge.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

from vrdma_check.check import Context, Outcome

# "Of course" and the like are no objects.
_TURNED = re.compile(r"(?:^|[.;:!?] +)((?:Of (?!course\b)|Those (?:of|that|which|who) )\S*)")
_COMMENT = re.compile(r"^\s*(?://+|/?\*+|#(?!!|\s*(?:include|define|if|ifdef|ifndef|endif|else|"
                      r"elif|error|pragma|undef)\b))\s?(.*)$")
_CODE = (".c", ".cc", ".h", ".py", ".sh", ".toml", "CMakeLists.txt")


def sentences(path: str, text: str) -> Iterator[tuple[int, str]]:
    """The lines of prose with their numbers; a line that goes on from another is marked by a
    leading space, so that only the beginning of a paragraph counts as that of a sentence."""
    goes_on = fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if path.endswith(".md"):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            prose = "" if fenced else re.sub(r"^\s*(?:[-*>#|]+|\d+\.)\s+", "", line)
            goes_on = goes_on and prose == line
        else:
            match = _COMMENT.match(line)
            prose = match[1] if match else ""
        yield number, (" " if goes_on else "") + prose
        goes_on = bool(prose.strip()) and not prose.rstrip().endswith((".", ":", "!", "?"))


def run(context: Context) -> Outcome:
    files = [path for path in context.tree.files
             if path.endswith((*_CODE, ".md")) or path in context.tree.shell]
    findings = [f"{path}:{number}: a sentence begins with '{match[1].strip()}'"
                for path in files
                for number, line in sentences(path, context.tree.text(path))
                for match in _TURNED.finditer(line)]
    return Outcome(findings, f"{len(files)} files")
