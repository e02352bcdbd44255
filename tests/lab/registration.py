# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Registrations of every right, length and kind of memory, in guests as on the host."""

from __future__ import annotations

from support_py import registration
from support_py.suite import main


class Direct(registration.RegistrationTest):
    """A guest on the host's rxe."""


class Embedded(registration.RegistrationTest):
    """A guest on the embedded RNIC, beside the host's rxe."""

    backend = "embedded"
    # Linux 6.1's rxe takes IBV_ACCESS_ZERO_BASED and does nothing with it.  The embedded RNIC
    # refuses what it does not do.
    different = registration.RegistrationTest.different | dict.fromkeys(
        (
            "right 5 alone",
            "right 5 with local write",
            "binding and zero based",
            "no bytes, unaligned, zero based",
            "one byte, zero based",
            "one byte, unaligned, zero based",
            "two bytes across pages, zero based",
            "one page, zero based",
            "one page, unaligned, zero based",
            "all pages, zero based",
        ),
        "Operation not supported",
    )


if __name__ == "__main__":
    main()
