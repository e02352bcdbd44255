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


if __name__ == "__main__":
    main()
