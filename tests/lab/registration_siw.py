# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Registrations of every right, length and kind of memory on siw, in a guest as on the host."""

from __future__ import annotations

from support_py import registration
from support_py.suite import main

RNIC = "siw"


class Siw(registration.RegistrationTest):
    """A guest on the host's siw."""


if __name__ == "__main__":
    main()
