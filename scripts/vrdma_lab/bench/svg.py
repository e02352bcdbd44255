# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""matplotlib, as the pictures of scripts/bench use it: the same figures give the same file."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_pyplot() -> Any:
    """matplotlib's module pyplot.

    Only pictures need it, and it takes a second to load.
    """
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "vrdma", "svg.fonttype": "none"})
    from matplotlib import pyplot

    return pyplot


def save(pyplot: Any, figure: Any, path: Path) -> None:
    """Writes a figure into a file of SVG, and ends it."""
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
