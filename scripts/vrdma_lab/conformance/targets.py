# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The targets that rdma-core's tests run on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A side that runs the tests, and the device that it runs them on."""

    name: str
    side: str  # native: the RDMA host itself; direct, embedded: a guest
    rnic: str = ""  # the kind of the host's RNIC (network/rnics.py), if an RDMA host takes part
    # The fewest tests of each version that have to pass. A model that ceases to offer something has
    # its tests skipped everywhere, which no comparison shows.
    fewest: int = 0

    @property
    def native(self) -> Target | None:
        """The target that runs the tests without a guest on the same device, if it is another.

        The embedded RNIC is compared with the kernel's own software RNIC.
        """
        if self.side == "native":
            return None
        rnic = self.rnic or "rxe"
        return next(each for each in TARGETS.values() if (each.side, each.rnic) == ("native", rnic))


TARGETS = {
    target.name: target
    for target in (
        Target("native", "native", "rxe"),
        Target("direct", "direct", "rxe"),
        Target("embedded", "embedded"),
        Target("native-mlx5", "native", "mlx5", fewest=120),
        Target("direct-mlx5", "direct", "mlx5"),
    )
}


def groups(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The targets of these names in the order of TARGETS, those together that share a host."""
    found: dict[str, list[str]] = {}
    for target in TARGETS.values():
        if target.name in set(names):
            found.setdefault(target.rnic, []).append(target.name)
    return [tuple(group) for group in found.values()]
