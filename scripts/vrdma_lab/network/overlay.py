# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The addresses of the guests' network, the overlay."""

from __future__ import annotations

from ipaddress import IPv6Address

NETWORK = "10.77.0"
PREFIX_LENGTH = 24


def guest_address(number: int) -> str:
    """The IPv4 address of a guest."""
    return f"{NETWORK}.{number}"


def mac_of(number: int) -> str:
    """The MAC address of a guest."""
    return f"52:54:00:77:00:{number:02x}"


def own_address(number: int, prefix: str = "fe80::") -> IPv6Address:
    """The IPv6 address that a guest forms from its MAC address (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac_of(number).replace(":", ""))
    identifier = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return IPv6Address(IPv6Address(prefix).packed[:8] + identifier)
