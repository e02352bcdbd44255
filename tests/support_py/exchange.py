# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base class of all tests with guests: exchanges that must succeed."""

from __future__ import annotations

import sys
import unittest

from vrdma_lab.machine.side import Side
from vrdma_lab.programs import traffic
from vrdma_lab.programs.traffic import PATIENCE, Exchange, Measurement
from vrdma_lab.test_form import is_long

__all__ = ["PATIENCE", "ExchangeTest", "long_form_only", "say"]

# For a test of which another one has nearly as much.
long_form_only = unittest.skipUnless(is_long(), "scripts/test --long")

SMALL = Exchange("ibv_rc_pingpong", 1024, 50, ("-c",))


class ExchangeTest(unittest.TestCase):
    def exchange(self, server: Side, client: Side, exchange: Exchange = SMALL) -> Measurement:
        """Runs an exchange, which must succeed."""
        with self.subTest(
            test=exchange.title, size=exchange.size, client=client.name, server=server.name
        ):
            result = traffic.run(server, client, exchange, PATIENCE, say=say)
            self.assertTrue(result.ok, result.error)
        return result


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
