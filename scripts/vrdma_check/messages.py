# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""messages: each warning and error for people is in docs/troubleshooting.md.

The daemon's are the texts of its loggers' warn(), error() and critical(), the driver's those of
dev_err(), dev_warn(), pr_err() and pr_warn() in all their kinds, and QEMU's those of its error
functions.  What the page must have of a message is the text around its placeholders that is
longest.  A message of placeholders alone cannot be looked for.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vrdma_check.check import Context, Outcome

PAGE = "docs/troubleshooting.md"
_STRINGS = r'((?:\s*"(?:[^"\\]|\\.)*"|\s*PRI\w+|\s*[A-Z][A-Z_]+(?=\s*[,)]|\s+"))+)'
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|%[-#0-9.]*PRI\w+|%[-#0-9.]*(?:ll|l|z|h)?[a-zA-Z]\w?|PRI\w+")
# Fewer letters name no message.
_SHORTEST = 8


@dataclass(frozen=True)
class _Language:
    """Where messages are, and the calls that print them, up to their text."""

    folder: str
    suffixes: tuple[str, ...]
    call: re.Pattern[str]


_LANGUAGES = (
    _Language("backend/", (".cc", ".h"),
              re.compile(r"(?:->|\.)(?:warn|error|critical)\(" + _STRINGS)),
    _Language("frontend/", (".c", ".h"),
              re.compile(r"\b(?:dev|pr)_(?:err|warn)\w*\((?:[^\";]*?,)?" + _STRINGS)),
    _Language("qemu-device/", (".c", ".h"),
              re.compile(r"\b(?:error_setg\w*|error_reportf?\w*|warn_reportf?\w*|complain)"
                         r"\((?:[^\";]*?,)?" + _STRINGS)),
)
# vrdmactl's and vrdma-exporter's messages answer who has called them; tests are no programs.
_LEFT_OUT = ("backend/vrdmactl/", "backend/exporter/", "qemu-device/tests/")


def fragment(text: str) -> str:
    """The longest part of a message between its placeholders, which the page must have."""
    parts = _PLACEHOLDER.split(text.replace("\\n", "").replace('\\"', '"'))
    stripped = (re.sub(r"^vrdma: ", "", part).strip(" :;,.'()") for part in parts)
    return max(stripped, key=len)


def messages(path: str, text: str) -> Iterator[tuple[int, str]]:
    """The line of each message of a file, and the message."""
    for language in _LANGUAGES:
        if not path.startswith(language.folder) or not path.endswith(language.suffixes):
            continue
        for found in language.call.finditer(text):
            words = re.findall(r'"((?:[^"\\]|\\.)*)"|(PRI\w+)', found[1])
            message = "".join(literal or name for literal, name in words)
            yield text.count("\n", 0, found.start()) + 1, message


def run(context: Context) -> Outcome:
    texts = {path: context.tree.text(path) for path in context.tree.files}
    page = " ".join(texts.get(PAGE, "").split())
    findings, count = [], 0
    for path, text in texts.items():
        if path.startswith(_LEFT_OUT):
            continue
        for line, message in messages(path, text):
            wanted = " ".join(fragment(message).split())
            if len(wanted) < _SHORTEST:
                continue
            count += 1
            if wanted not in page:
                findings.append(f"{path}:{line}: {PAGE} does not have the message '{wanted}'")
    return Outcome(findings, f"{count} messages")
