# SPDX-License-Identifier: Apache-2.0
"""What the tests with perftest share: runs whose both ends have to be well."""

from __future__ import annotations

import unittest
from collections.abc import Callable

from .channel import Job
from .exchange_test import PATIENCE, say
from .perftest import Run, between_listeners, only_measured
from .rdmacm import wait_listener
from .side import Side
from .traffic import start_exchange, wait_listening

FIGURES_ATTEMPTS = 3
# More, because which end is faster is a matter of the machine's load.
BETWEEN_LISTENERS_ATTEMPTS = 8


class PerftestTest(unittest.TestCase):
    def listens(self, server: Side) -> Side:
        """Whose kernel has the connection manager's listeners of this side."""
        return server

    def perftest(self, server: Side, client: Side, run: Run) -> None:
        """A run that must succeed.  One that failed by a fault of perftest's own is repeated, and said to be."""
        with self.subTest(run.title, client=client.name, server=server.name):
            for attempt in range(1, BETWEEN_LISTENERS_ATTEMPTS + 1):
                problems, output = self._problems(server, client, run)
                if not between_listeners(problems) and (attempt >= FIGURES_ATTEMPTS or not only_measured(problems)):
                    break
                say(f"    repeated: {run.title}: {problems[0]}")
            self.assertEqual(problems, [], output)

    def _wait_listener(self, server: Side, port: int, serving: Job) -> None:
        wait_listener(self.listens(server), port, serving)

    def _problems(self, server: Side, client: Side, run: Run) -> tuple[list[str], str]:
        wait: Callable[[Side, int, Job], None] = wait_listening
        if run.connects:
            wait = self._wait_listener
        serving, asking = start_exchange(server, client, run, wait)
        asked = asking.wait(PATIENCE)
        # The server ends by itself unless the client failed.
        served = serving.wait(PATIENCE) if asked.ok else serving.kill()
        problems = run.problems(asked, serves=False)
        if asked.ok:
            problems += [f"the server {problem}" for problem in run.problems(served, serves=True)]
        return problems, f"\nthe client:\n{asked.output}\nthe server:\n{served.output}"
