# SPDX-License-Identifier: Apache-2.0
"""What all tests with guests share: exchanges that must succeed."""

from __future__ import annotations

import sys
import unittest

from . import traffic
from .side import Side
from .traffic import Exchange, Measurement

# A busy machine makes programs slow, and under TCG they are slow anyway.
PATIENCE = 180.0

SMALL = Exchange("ibv_rc_pingpong", 1024, 50, ("-c",))


class ExchangeTest(unittest.TestCase):
    def exchange(self, server: Side, client: Side, exchange: Exchange = SMALL) -> Measurement:
        """Runs an exchange, which must succeed."""
        with self.subTest(test=exchange.title, size=exchange.size, client=client.name, server=server.name):
            result = traffic.run(server, client, exchange, PATIENCE, say=say)
            self.assertTrue(result.ok, result.error)
        return result


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
