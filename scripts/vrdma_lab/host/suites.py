# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The suites in tests/lab: files of tests that run on an RDMA host."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path

from vrdma_lab import paths

_FOLDER = paths.SOURCE / "tests" / "lab"
_NO_SUITES = {"command"}


@dataclass(frozen=True)
class Suite:
    """A suite, with the hosts that it needs."""

    name: str
    summary: str
    hosts: int  # how many RDMA hosts the suite needs
    rnic: str  # the kind of RNIC that the hosts have
    other_rnic: str = ""  # that of the second host, if it is another kind

    @property
    def file(self) -> Path:
        """The file with the tests."""
        return _FOLDER / f"{self.name}.py"

    def on(self, rnic: str | None) -> Suite:
        """This suite on another kind of RNIC, if one is given.

        A second host whose RNIC is of a kind of its own keeps it.
        """
        return self if rnic is None else replace(self, rnic=rnic)


def _read(file: Path) -> Suite:
    tree = ast.parse(file.read_text())
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    summary = (ast.get_docstring(tree) or "").splitlines()[0]
    return Suite(
        file.stem,
        summary,
        constants.get("HOSTS", 1),
        constants.get("RNIC", "rxe"),
        constants.get("OTHER_RNIC", ""),
    )


def all_suites() -> dict[str, Suite]:
    """All suites by their names, in the order of their names."""
    return {
        file.stem: _read(file)
        for file in sorted(_FOLDER.glob("*.py"))
        if file.stem not in _NO_SUITES
    }
