# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The form in which tests run: the long one with scripts/test --long, else the short one.

The short form of a test leaves out what differs from the rest only by a combination of options.
"""

from __future__ import annotations

import os

_VARIABLE = "VRDMA_LONG"


def is_long() -> bool:
    """Whether tests run in their long form."""
    return _VARIABLE in os.environ


def form_variables(long: bool) -> dict[str, str]:
    """The environment that gives programs the form."""
    return {_VARIABLE: "1"} if long else {}
