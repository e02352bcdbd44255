# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""clang-tidy (.clang-tidy): all that the build compiles, the fuzzers among it.

A file takes about ten seconds, so by default only files are judged that changed or that
include what changed.  A file that passed gets a stamp and costs nothing until its text, a
text that it includes or the configuration changes.
"""
from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_check import changes, programs
from vrdma_check.check import CheckError, Context, Outcome
from vrdma_check.includes import IncludeGraph
from vrdma_check.stamps import digest
from vrdma_check.tree import Tree

NAME = "clang-tidy"
BUILD = "build/check"
_LEAST_SECONDS = 60.0
# C has neither the naming of the project's C++ nor its newer words.
_CHECKS_FOR_C = "-readability-identifier-naming,-modernize-*"
_MESSAGE = re.compile(r"(/.+?):(\d+):\d+: (warning|error|note): ")


@dataclass(frozen=True)
class Unit:
    """One source file as the build compiles it.  flags: without the clone's own path."""
    source: str
    flags: str
    folders: tuple[str, ...]


def configure(tree: Tree) -> Path:
    """Has CMake write the compile commands, and protoc its headers; nothing is compiled."""
    build = tree.root / BUILD
    ran = programs.run(
        ["cmake", "-S", str(tree.root), "-B", str(build), "-G", "Ninja",
         "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", "-DCMAKE_BUILD_TYPE=Debug", "-DVRDMA_FUZZ=ON",
         "-DVRDMA_UNITY=OFF"],
        tree.root)
    if ran.status != 0:
        raise CheckError("cmake could not configure build/check:\n" + "\n".join(ran.lines[-20:]))
    # Headers that the build writes.
    ran = programs.run(["cmake", "--build", str(build), "--target", "vrdma_state_headers"],
                       tree.root)
    if ran.status != 0:
        raise CheckError("protoc could not write headers:\n" + "\n".join(ran.lines[-20:]))
    return build


def read_units(tree: Tree, build: Path) -> list[Unit]:
    """The units of compile_commands.json, each source once."""
    units: dict[str, Unit] = {}
    known = set(tree.files)
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        source = os.path.relpath(entry["file"], tree.root)
        if source in known and source not in units:
            words = shlex.split(entry["command"])
            inside = [os.path.relpath(word[2:], tree.root) for word in words
                      if word.startswith(f"-I{tree.root}")]
            # What __FILE__ says is nothing that it judges.
            command = re.sub(r" -fmacro-prefix-map=\S+", "", entry["command"])
            flags = command.replace(str(tree.root), "")
            units[source] = Unit(source, flags, tuple(inside))
    return [units[source] for source in sorted(units)]


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _folders_of(path: str) -> Iterator[str]:
    """The folders that a file is in, the root as well, which is the empty string."""
    while path:
        path = os.path.dirname(path)
        yield path


class Keys:
    """One hash of all that the verdict on a unit depends on."""

    def __init__(self, tree: Tree, version: str) -> None:
        self._tree = tree
        self._version = version
        self._graphs: dict[tuple[str, ...], IncludeGraph] = {}
        self._configurations = {os.path.dirname(path): _without_comments(tree.text(path))
                                for path in tree.files
                                if os.path.basename(path) == ".clang-tidy"}

    def read_by(self, unit: Unit) -> set[str]:
        """The unit's source and all of the project that it includes."""
        graph = self._graphs.setdefault(unit.folders, IncludeGraph(self._tree, unit.folders))
        return graph.all_of(unit.source)

    def key(self, unit: Unit) -> str:
        files = sorted(self.read_by(unit))
        folders = {folder for path in files for folder in _folders_of(path)}
        texts = [self._tree.text(path) for path in files]
        # Headers that protoc writes are not in the tree; what they are written from is.
        if any(".pb.h" in text for text in texts):
            files += sorted(path for path in self._tree.files if path.endswith(".proto"))
            texts = [self._tree.text(path) for path in files]
        return digest([self._version, _CHECKS_FOR_C, unit.flags,
                       *(part for folder, text in sorted(self._configurations.items())
                         if folder in folders for part in (folder, text)),
                       *(part for pair in zip(files, texts) for part in pair)])


def in_order(units: Iterable[Unit], changed: set[str], keys: Keys) -> list[Unit]:
    """The units that read a changed file; first those that changed themselves."""
    affected = [unit for unit in units if keys.read_by(unit) & changed]
    return sorted(affected, key=lambda unit: (unit.source not in changed, unit.source))


def messages(lines: Sequence[str], root: Path) -> list[str]:
    """clang-tidy's messages, each with the lines that explain it, paths relative to ROOT."""
    found: list[list[str]] = []
    for line in lines:
        match = _MESSAGE.match(line)
        if match and match[3] != "note":
            found.append([])
        if found:
            found[-1].append(line.replace(f"{root}/", ""))
    return ["\n".join(message) for message in found]


def _judge(program: str, build: Path, unit: Unit, root: Path) -> list[str]:
    command = [program, "--quiet", "-p", str(build)]
    if unit.source.endswith(".c"):
        command.append(f"--checks={_CHECKS_FOR_C}")
    ran = programs.run([*command, str(root / unit.source)], root)
    found = messages(ran.output.splitlines(), root)
    if ran.status != 0 and not found:
        raise CheckError(f"clang-tidy on {unit.source}:\n" + "\n".join(ran.lines[-10:]))
    return found


def end_of_time(context: Context) -> float | None:
    """When the last file may be begun, None for no end.

    It is context.seconds after the start, but however long the other checks took, a minute is
    left unless less was asked for.
    """
    if context.seconds is None:
        return None
    return max(context.started + context.seconds,
               time.monotonic() + min(context.seconds, _LEAST_SECONDS))


def run(context: Context) -> Outcome:
    tree = context.tree
    program = programs.find("clang-tidy-14")
    version = programs.run([program, "--version"], tree.root).output
    build = configure(tree)
    keys = Keys(tree, version)
    units = read_units(tree, build)
    if not context.everything:
        units = in_order(units, changes.changed_files(tree, context.base), keys)
    unknown = [(unit, key) for unit in units
               if not context.stamps.has(NAME, key := keys.key(unit))]
    end = end_of_time(context)

    def judge(pair: tuple[Unit, str]) -> list[str] | None:
        unit, key = pair
        if end is not None and time.monotonic() > end:
            return None
        found = _judge(program, build, unit, tree.root)
        if not found:
            context.stamps.add(NAME, key)
        return found

    verdicts = programs.in_parallel(judge, unknown)
    # A header's finding comes with each source that includes the header.
    findings = sorted({message for verdict in verdicts for message in verdict or ()})
    missed = verdicts.count(None)
    which = "files" if context.everything else "changed files"
    looked_at = f"{len(units) - missed} {which}, {len(units) - len(unknown)} known from before"
    if missed:
        looked_at += (f"; {missed} more not reached {context.seconds:.0f} s after the start, "
                      "'scripts/check --all clang-tidy' judges them")
    return Outcome(findings, looked_at)
