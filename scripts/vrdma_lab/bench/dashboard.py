# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The picture of the Grafana dashboard that scripts/bench dashboard draws.

Guests use their devices, a Prometheus asks vrdma-exporter, and each panel is drawn with what
Prometheus answers to its queries.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from vrdma_lab import paths
from vrdma_lab.bench import svg
from vrdma_lab.errors import LabError
from vrdma_lab.lab.lab import Lab
from vrdma_lab.machine.progress import run_to_end
from vrdma_lab.monitoring.dashboard import Panel, panels
from vrdma_lab.monitoring.prometheus import Exporter, Prometheus
from vrdma_lab.programs import traffic
from vrdma_lab.programs.traffic import Exchange
from vrdma_lab.vm.guest import Guest

KERNEL = "6.1"
_COLUMNS = 24  # of a dashboard
_INCH = 0.5  # for a column, and for a row
_NAMES = 10  # of lines in a panel
# Grafana's units, as a number of the unit is written.
_UNITS = {
    "Bps": (1e6, "MB/s"),
    "bytes": (1 << 20, "MiB"),
    "none": (1, ""),
    "ops": (1, "in a second"),
    "percentunit": (0.01, "%"),
    "pps": (1, "in a second"),
    "s": (1e-3, "ms"),
}


def _must(server: Guest, client: Guest, exchange: Exchange) -> None:
    result = traffic.run(server, client, exchange, traffic.PATIENCE)
    if not result.ok:
        raise LabError(f"{exchange.title} failed: {result.error}")


def _use(lab: Lab, guests: list[Guest]) -> None:
    """Messages of several sizes between the guests, verbs, and a limit that is reached."""
    a, b = guests
    for size, count in ((4096, 20000), (65536, 20000), (1 << 20, 2000)):
        for server, client in ((a, b), (b, a)):
            _must(server, client, Exchange("ib_write_bw", size, count, ("-c", "RC")))
            _must(server, client, Exchange("ibv_srq_pingpong", 4096, 200))
    ctl = [str(paths.vrdmactl()), "--socket", str(lab.daemon.control_socket), "limits", "a"]
    run_to_end([*ctl, "queue_pairs=3"], 60)
    a.run(f"ibv_srq_pingpong -d vrdma0 -g {a.gid_index()} -q 3")
    run_to_end([*ctl, "queue_pairs=100"], 60)
    _must(a, b, Exchange("ib_send_bw", 65536, 20000))


def report(picture: Path) -> None:
    """Uses the devices of two guests, and draws the dashboard into a file of SVG."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(KERNEL))
        lab.start_daemon(2, [])
        exporter = Exporter(lab.daemon.control_socket, lab.folder)
        stack.callback(exporter.stop)
        prometheus = Prometheus(exporter, lab.folder)
        stack.callback(prometheus.stop)
        start = time.monotonic()
        lab.boot((1, 2))
        _use(lab, lab.guests)
        _draw(prometheus, int(time.monotonic() - start), picture)


def _draw(prometheus: Prometheus, seconds: int, path: Path) -> None:
    pyplot = svg.load_pyplot()
    pyplot.rcParams["font.size"] = 7
    found = list(panels(seconds))
    height = max(panel.y + panel.height for panel in found)
    figure = pyplot.figure(figsize=(_COLUMNS * _INCH, height * _INCH))
    for panel in found:
        left, bottom = panel.x / _COLUMNS, 1 - (panel.y + panel.height) / height
        box = (left, bottom, panel.width / _COLUMNS, panel.height / height)
        # The title above, and the numbers and times at two sides, have a part of the place.
        inner = (box[0] + 0.04, box[1] + 0.03, box[2] - 0.06, box[3] - 0.05)
        draw = _draw_value if panel.kind == "stat" else _draw_lines
        draw(figure.add_axes(inner), panel, prometheus, seconds)
    svg.save(pyplot, figure, path)


def _draw_value(axes: Any, panel: Panel, prometheus: Prometheus, seconds: int) -> None:
    axes.set_axis_off()
    axes.set_title(panel.title)
    (query,) = panel.queries
    lines = prometheus.lines(query.expression, seconds)
    if not lines:
        raise LabError(f"the panel {panel.title} has nothing: {query.expression}")
    text = "\n".join(f"{points[-1][1]:g}" for _, points in lines)
    axes.text(0.5, 0.4, text, fontsize=20, horizontalalignment="center")


def _draw_lines(axes: Any, panel: Panel, prometheus: Prometheus, seconds: int) -> None:
    scale, unit = _UNITS[panel.unit]
    end = time.time()
    for query in panel.queries:
        for labels, points in prometheus.lines(query.expression, seconds):
            times = [when - end for when, _ in points]
            values = [value / scale for _, value in points]
            axes.plot(times, values, linewidth=1, label=query.name(labels))
    axes.set_title(panel.title)
    axes.set_ylabel(unit)
    axes.set_xlabel("seconds before now")
    axes.set_xlim(-seconds, 0)
    axes.set_ylim(bottom=0)
    axes.grid(True, alpha=0.3)
    # The highest lines have their names, as many as there is room for.
    highest = sorted(axes.lines, key=lambda line: -float(max(line.get_ydata())))[:_NAMES]
    if highest:
        axes.legend(handles=highest, fontsize=5, loc="upper left")
