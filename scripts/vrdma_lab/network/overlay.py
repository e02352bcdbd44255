# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The addresses of the guests' network, the overlay."""

from __future__ import annotations

NETWORK = "10.77.0"
PREFIX_LENGTH = 24


def guest_address(number: int) -> str:
    """The IPv4 address of a guest."""
    return f"{NETWORK}.{number}"


def mac_of(number: int) -> str:
    """The MAC address of a guest."""
    return f"52:54:00:77:00:{number:02x}"
