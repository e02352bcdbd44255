# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Registrations of every right, length and kind of memory on siw, in a guest as on the host."""

from __future__ import annotations

from support_py import registration
from support_py.suite import main

RNIC = "siw"
_LENGTHS = ("half of the address space", "all but a byte", "2^44 bytes", "2^47 bytes")


class Siw(registration.RegistrationTest):
    """A guest on the host's siw.

    Linux 6.1's siw pins memory by code of its own (siw_umem_get()), where rxe and the guest's
    driver have the core's.  So the errno of lengths that no memory has is another, and siw takes
    the length of all but a byte, whose number of pages it computes as 0.
    """

    different = (
        registration.RegistrationTest.different
        | dict.fromkeys(
            (
                f"{what}{zero_based}"
                for what in _LENGTHS
                for zero_based in ("", ", zero based")
            ),
            "Invalid argument",
        )
        | dict.fromkeys(
            ("around the end of the address space", "one byte at the last address"),
            "Invalid argument",
        )
        | dict.fromkeys(
            (
                "no bytes, unaligned, behind the mapping",
                "no bytes, unaligned, behind the mapping, zero based",
            ),
            "Bad address",
        )
    )


if __name__ == "__main__":
    main()
