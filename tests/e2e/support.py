# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: guests booted once per class, and exchanges that must succeed."""

from __future__ import annotations

import os
import sys
import unittest

from vrdma_lab import traffic
from vrdma_lab.children import raise_on_signals
from vrdma_lab.guest import Guest
from vrdma_lab.lab import Lab
from vrdma_lab.traffic import Exchange, Measurement

KERNEL = os.environ.get("VRDMA_KERNEL", "6.1")
OTHER_KERNEL = {"6.1": "6.12", "6.12": "6.1"}[KERNEL]

# A busy machine makes programs slow, and under TCG they are slow anyway.
PATIENCE = 180.0

SMALL = Exchange("ibv_rc_pingpong", 1024, 50, ("-c",))


class LabTest(unittest.TestCase):
    """Tests in one lab with a daemon."""

    kernel = KERNEL
    guest_count = 2
    lab: Lab

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(cls.kernel))
        cls.lab.start_daemon(cls.guest_count)
        cls.boot()

    @classmethod
    def boot(cls) -> None:
        """Boots all guests; a class may do otherwise."""
        cls.lab.boot(range(1, cls.guest_count + 1))

    def exchange(self, server: Guest, client: Guest, exchange: Exchange = SMALL) -> Measurement:
        """Runs an exchange, which must succeed."""
        with self.subTest(test=exchange.title, size=exchange.size, client=client.name, server=server.name):
            result = traffic.run(server, client, exchange, PATIENCE, say=_say)
            self.assertTrue(result.ok, result.error)
        return result


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    raise_on_signals()
    unittest.main(module="__main__", verbosity=2)
