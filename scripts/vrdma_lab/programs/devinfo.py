# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What ibv_devinfo prints."""

from __future__ import annotations

import re


def attributes(output: str) -> dict[str, str]:
    """The attributes of a device and its port, by name."""
    return dict(re.findall(r"^\s*(\w+):\s+(\S.*?)\s*$", output, re.MULTILINE))
