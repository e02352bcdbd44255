# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The tests that documents name as the holders of their promises exist.

A name is written as code: `Suite.Case`, `Suite.*`, `Suite.Begins...`, `Suite`, `Case`, or the name
of a test of CTest, `systemd.units`.
"""
from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from vrdma_check.check import Context, Outcome
from vrdma_check.tree import Tree

DOCUMENTS = ("docs/reliability.md", "docs/threat-model.md")
_CASE = re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST)\(\s*(\w+),\s*(\w+)\s*\)", re.MULTILINE)
_CTEST = re.compile(r"add_test\(\s*NAME ([\w.${}]+)|^add_(e2e_test|lab_suite)\((\w+)", re.MULTILINE)
_KIND = {"e2e_test": "e2e", "lab_suite": "lab"}
_CODE = re.compile(r"`([^`\n]+)`")
_VARIABLE = re.compile(r"\$\{\w+\}")
# CamelCase with a small letter: no macro, no errno, no unit.
_OF_GTEST = re.compile(r"^[A-Z]\w*[a-z]\w*\.[\w*]+$|^(?=.*[a-z])[A-Z][A-Za-z\d]*[A-Z][A-Za-z\d]*$")


@dataclass(frozen=True)
class Tests:
    """What there is: GoogleTest's cases, `Suite.Case`, and CTest's names, with wildcards."""
    cases: frozenset[str]
    ctest: frozenset[str]

    def names_one(self, name: str) -> bool:
        """Whether there is a test of this name."""
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.ctest):
            return True
        wanted = (name,) if "." in name else (f"{name}.*", f"*.{name}")
        return any(fnmatch.filter(self.cases, pattern) for pattern in wanted)

    def could_be(self, word: str) -> bool:
        """Whether a word in a document is the name of a test, existing or not."""
        group, dot, _ = word.partition(".")
        kinds = {pattern.partition(".")[0] for pattern in self.ctest}
        return _OF_GTEST.match(word) is not None or (dot == "." and group in kinds)


def tests(tree: Tree) -> Tests:
    """The tests that the project's files have."""
    cases = {f"{suite}.{case}" for path in tree.files
             if path.startswith("tests/") and path.endswith((".cc", ".h"))
             for suite, case in _CASE.findall(tree.text(path))}
    ctest = {_VARIABLE.sub("*", name) or f"{_KIND[kind]}.{word}" for path in tree.files
             if path.endswith("CMakeLists.txt")
             for name, kind, word in _CTEST.findall(tree.text(path))}
    return Tests(frozenset(cases), frozenset(ctest))


def findings(path: str, text: str, there: Tests) -> list[str]:
    return [f"{path}:{number}: there is no test '{word}'"
            for number, line in enumerate(text.splitlines(), 1)
            for word in (code.replace("...", "*") for code in _CODE.findall(line))
            if there.could_be(word) and not there.names_one(word)]


def run(context: Context) -> Outcome:
    tree = context.tree
    there = tests(tree)
    documents = [path for path in DOCUMENTS if path in tree.files]
    found = [line for path in documents for line in findings(path, tree.text(path), there)]
    return Outcome(found, f"{len(documents)} documents")
