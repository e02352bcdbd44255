# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Figures that were taken natively and in a guest."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Figure:
    """One thing that was measured in several rounds.

    Each native value has the guest's value that was taken next to it.
    """

    group: str  # the key of its table
    test: str
    bytes: int
    unit: str
    wanted: str = ""  # the bar
    native: list[float] = field(default_factory=list)
    guest: list[float] = field(default_factory=list)
    exits_per_message: list[float] = field(default_factory=list)
    device_accesses: float | None = None  # exits of one message by which the guest reaches a device
    remarks: list[str] = field(default_factory=list)

    def add(self, native: bool, value: float) -> None:
        """Adds a value of one round."""
        (self.native if native else self.guest).append(value)

    @property
    def ratios(self) -> list[float]:
        """The guest's value over the native one, for each round."""
        return [guest / native for guest, native in zip(self.guest, self.native)]

    @property
    def ratio(self) -> float | None:
        """The guest's median over the native one."""
        return median(self.guest) / median(self.native) if self.guest and self.native else None

    @property
    def exits(self) -> float | None:
        """The median of the exits of one message."""
        return median(self.exits_per_message) if self.exits_per_message else None

    def as_json(self) -> dict[str, object]:
        """The figure as an object of scripts/bench lab --json."""
        return {
            "test": self.test,
            "bytes": self.bytes,
            "native": _rounded(self.native),
            "guest": _rounded(self.guest),
            "ratio": None if self.ratio is None else round(self.ratio, 3),
            "exits_per_message": None if self.exits is None else round(self.exits, 3),
            "device_accesses_per_message": None
            if self.device_accesses is None
            else round(self.device_accesses, 4),
            "unit": self.unit,
            "group": self.group,
            "rounds": max(len(self.native), len(self.guest)),
            "native_range": _range(self.native),
            "guest_range": _range(self.guest),
            "ratio_range": _range(self.ratios),
            "exits_range": _range(self.exits_per_message),
            "wanted": self.wanted,
            "remarks": self.remarks,
        }


def exits_worth(figure: Figure, exit_cost: Figure) -> float | None:
    """The number of exits that take as long as the guest takes longer than a native program."""
    if figure.unit != "us" or not figure.native or not figure.guest:
        return None
    one = median(exit_cost.guest) - median(exit_cost.native)
    return round((median(figure.guest) - median(figure.native)) / one, 2)


def _rounded(values: list[float]) -> float | None:
    return round(median(values), 3) if values else None


def _range(values: list[float]) -> list[float] | None:
    return [round(min(values), 3), round(max(values), 3)] if values else None
