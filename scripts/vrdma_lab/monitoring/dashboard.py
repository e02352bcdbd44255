# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The panels of the Grafana dashboard that comes with vrdma-exporter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from vrdma_lab import paths

FILE = paths.SOURCE / "backend" / "exporter" / "vrdma.dashboard.json"


@dataclass(frozen=True)
class Query:
    """An expression of Prometheus', and what its lines are called ({{label}} is a label)."""

    expression: str
    legend: str

    def name(self, labels: dict[str, str]) -> str:
        """What the line with these labels is called."""
        return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), self.legend)


@dataclass(frozen=True)
class Panel:
    """One panel with its place on the page, whose width is 24."""

    title: str
    kind: str  # "stat" is the last value as a text
    unit: str
    x: int
    y: int
    width: int
    height: int
    queries: tuple[Query, ...]


def panels(seconds: int) -> Iterator[Panel]:
    """The panels, with all hosts and guests chosen and the last seconds shown."""
    variables = {
        **{"$instance": ".*", "$guest": ".*"},
        # Grafana: at least four times the interval in which Prometheus asks, which is 1 s here.
        **{"$__rate_interval": "5s", "$__range": f"{seconds}s"},
    }
    for panel in json.loads(FILE.read_text())["panels"]:
        place = panel["gridPos"]
        queries = []
        for target in panel["targets"]:
            expression: str = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            queries.append(Query(expression, target["legendFormat"]))
        yield Panel(
            panel["title"],
            panel["type"],
            panel["fieldConfig"]["defaults"]["unit"],
            place["x"],
            place["y"],
            place["w"],
            place["h"],
            tuple(queries),
        )
