# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base class of the end-to-end tests: guests that are booted once for each class."""

from __future__ import annotations

import os
import unittest

from support_py.exchange import PATIENCE, ExchangeTest, long_form_only
from vrdma_lab.children import raise_on_signals
from vrdma_lab.lab.lab import Lab
from vrdma_lab.test_form import is_long

__all__ = ["KERNEL", "LONG", "OTHER_KERNEL", "PATIENCE", "LabTest", "long_form_only", "main"]

KERNEL = os.environ.get("VRDMA_KERNEL", "6.1")
LONG = is_long()
OTHER_KERNEL = {"6.1": "6.12", "6.12": "6.1"}[KERNEL]


class LabTest(ExchangeTest):
    """Tests in one lab with a daemon."""

    kernel = KERNEL
    guest_count = 2
    modules: tuple[str, ...] = ()  # modules that guests can modprobe
    daemon_options: tuple[str, ...] = ()
    lab: Lab

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(cls.kernel, modules=cls.modules))
        cls.lab.start_daemon(cls.guest_count, list(cls.daemon_options))
        cls.boot()

    @classmethod
    def boot(cls) -> None:
        """Boots all guests; a class may do otherwise."""
        cls.lab.boot(range(1, cls.guest_count + 1))


def main() -> None:
    raise_on_signals()
    unittest.main(module="__main__", verbosity=2)
