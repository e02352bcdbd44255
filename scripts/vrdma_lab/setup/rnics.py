# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What the RNICs of a lab's hosts are made of, besides the hosts' kernel."""

from __future__ import annotations

from collections.abc import Iterable

from vrdma_lab.network.rnics import KINDS
from vrdma_lab.setup.build import build_connectx_model
from vrdma_lab.setup.runner import Steps
from vrdma_lab.setup.siw import prepare_siw


def prepare_rnics(steps: Steps, names: Iterable[str]) -> None:
    """Prepares the kinds of RNICs that are named, once each; other names need nothing.

    build_qemu_device() has run, and prepare_kernel() for the hosts' kernel.
    """
    kinds = [KINDS[name] for name in set(names) if name in KINDS]
    if any(kind.provider == "siw" for kind in kinds):
        prepare_siw(steps)
    if any(kind.model for kind in kinds):
        build_connectx_model(steps)
