# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Includes go downwards only: the rooms and their floors are in floors.toml.

A house is a folder.  A room of a house is a folder in it with all that the folder holds, or
the files directly in it that have the room's name (port.h and port.cc are the room "port").
A file may include files of its own room and of the floors below, no file of a room on the same
floor and none above.  An include is judged in every house that both of its ends are in.
"""
from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vrdma_check.check import CheckError, Context, Outcome
from vrdma_check.includes import Include, IncludeGraph
from vrdma_check.tree import Tree

TABLE = Path(__file__).with_name("floors.toml")
_SOURCES = (".c", ".cc", ".h")


@dataclass(frozen=True)
class House:
    """floors: from the top down, each with the names of its rooms."""
    path: str
    floors: tuple[tuple[str, ...], ...]

    def room_of(self, file: str) -> str | None:
        """The room's name, None if the file is not in this house."""
        if not file.startswith(f"{self.path}/"):
            return None
        first, _, rest = file[len(self.path) + 1:].partition("/")
        return first if rest else first.rpartition(".")[0]

    def floor_of(self, room: str) -> int | None:
        """0 is the top floor; None if the table does not have the room."""
        return next((number for number, rooms in enumerate(self.floors) if room in rooms), None)


@dataclass(frozen=True)
class Never:
    """An arrow that would go down and is not wanted all the same, and why."""
    source: str
    target: str
    why: str


@dataclass(frozen=True)
class Table:
    """search: the folders in which the compiler looks for an include."""
    search: tuple[str, ...]
    houses: tuple[House, ...]
    nevers: tuple[Never, ...]


def read_table(text: str) -> Table:
    try:
        data = tomllib.loads(text)
        return Table(
            tuple(data["search"]),
            tuple(House(house["path"], tuple(tuple(floor) for floor in house["floors"]))
                  for house in data["house"]),
            tuple(Never(never["from"], never["to"], never["why"])
                  for never in data.get("never", [])))
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CheckError(f"floors.toml: {error!r}") from error


def table_findings(house: House, files: Iterable[str]) -> list[str]:
    """Rooms of the tree that the table lacks, and the other way round."""
    rooms: dict[str, str] = {}
    for file in files:
        room = house.room_of(file)
        if room is not None:
            rooms.setdefault(room, file)
    listed = [room for floor in house.floors for room in floor]
    return ([f"{rooms[room]}:1: floors.toml has no floor for the room '{room}' of {house.path}"
             for room in sorted(rooms) if room not in listed] +
            [f"{house.path}: floors.toml has a room '{room}', which is not there"
             for room in sorted(set(listed)) if room not in rooms] +
            [f"{house.path}: floors.toml has the room '{room}' twice"
             for room in sorted(set(listed)) if listed.count(room) > 1])


def arrow_finding(house: House, include: Include) -> str | None:
    """Says what is wrong with an include, as HOUSE sees it."""
    source, target = house.room_of(include.source), house.room_of(include.target)
    if source is None or target is None or source == target:
        return None
    from_floor, to_floor = house.floor_of(source), house.floor_of(target)
    if from_floor is None or to_floor is None or from_floor < to_floor:
        return None
    where = "above it" if to_floor < from_floor else "on the same floor"
    return (f"{include.source}:{include.line}: {house.path}: '{source}' includes "
            f"{include.target} of '{target}', which is {where}")


def judge(table: Table, tree: Tree) -> Outcome:
    files = [path for path in tree.files if path.endswith(_SOURCES)]
    graph = IncludeGraph(tree, table.search)
    includes = graph.between(files)
    findings = []
    for house in table.houses:
        inside = [path for path in files if path.startswith(f"{house.path}/")]
        findings += table_findings(house, inside)
        arrows = (arrow_finding(house, include) for include in includes)
        findings += [finding for finding in arrows if finding is not None]
    for never in table.nevers:
        findings += [f"{include.source}:{include.line}: includes {include.target}: {never.why}"
                     for include in includes if include.source.startswith(never.source)
                     and include.target.startswith(never.target)]
    rooms = sum(len(floor) for house in table.houses for floor in house.floors)
    return Outcome(findings, f"{len(includes)} includes, {rooms} rooms in "
                             f"{len(table.houses)} houses")


def run(context: Context) -> Outcome:
    return judge(read_table(TABLE.read_text(encoding="utf-8")), context.tree)
