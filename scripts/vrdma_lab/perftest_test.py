# SPDX-License-Identifier: Apache-2.0
"""What the tests with perftest share: runs whose both ends have to be well."""

from __future__ import annotations

import unittest

from .exchange_test import PATIENCE, say
from .perftest import Run, only_measured
from .side import Side
from .traffic import start_exchange


class PerftestTest(unittest.TestCase):
    def perftest(self, server: Side, client: Side, run: Run) -> None:
        """A run that must succeed.  One whose only fault is an impossible figure is repeated, and said to be."""
        with self.subTest(run.title, client=client.name, server=server.name):
            for attempt in (1, 2, 3):
                problems, output = self._problems(server, client, run)
                if attempt == 3 or not only_measured(problems):
                    break
                say(f"    repeated: {run.title}: {problems[0]}")
            self.assertEqual(problems, [], output)

    def _problems(self, server: Side, client: Side, run: Run) -> tuple[list[str], str]:
        serving, asking = start_exchange(server, client, run)
        asked = asking.wait(PATIENCE)
        # The server ends by itself unless the client failed.
        served = serving.wait(PATIENCE) if asked.ok else serving.kill()
        problems = run.problems(asked, serves=False)
        if asked.ok:
            problems += [f"the server {problem}" for problem in run.problems(served, serves=True)]
        return problems, f"\nthe client:\n{asked.output}\nthe server:\n{served.output}"
