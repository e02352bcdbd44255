# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base class of the tests with perftest: runs whose both ends have to be well."""

from __future__ import annotations

import unittest
from dataclasses import dataclass

from support_py.exchange import PATIENCE, say
from vrdma_lab.machine.channel import Job
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.perftest import Run, only_measured
from vrdma_lab.programs.rdmacm import wait_listener
from vrdma_lab.programs.traffic import start_exchange, wait_listening

FIGURES_ATTEMPTS = 3
# There are many attempts: the scheduler decides which end is faster, and on a busy machine it can
# be the client three times in four.
BETWEEN_LISTENERS_ATTEMPTS = 16


@dataclass(frozen=True)
class _Ended:
    """The problems and the output of a run, and whether its client came between two listeners."""

    problems: list[str]
    output: str
    between_listeners: bool

    @property
    def excuse(self) -> str:
        return (
            "its client came between the server's two listeners"
            if self.between_listeners
            else self.problems[0]
        )


class PerftestTest(unittest.TestCase):
    def listens(self, server: Side) -> Side:
        """The side whose kernel has the connection manager's listeners of this side."""
        return server

    def perftest(self, server: Side, client: Side, run: Run) -> None:
        """A run that must succeed.

        A run that failed by a fault of perftest's own is repeated, and the output says so.
        """
        with self.subTest(run.title, client=client.name, server=server.name):
            for attempt in range(1, BETWEEN_LISTENERS_ATTEMPTS + 1):
                ended = self._ended(server, client, run)
                if not ended.between_listeners and (
                    attempt >= FIGURES_ATTEMPTS or not only_measured(ended.problems)
                ):
                    break
                say(f"    repeated: {run.title}: {ended.excuse}")
            self.assertEqual(ended.problems, [], ended.output)

    def _ended(self, server: Side, client: Side, run: Run) -> _Ended:
        used = 0

        def wait(where: Side, port: int, serving: Job) -> None:
            nonlocal used
            used = port
            if run.connects:
                wait_listener(self.listens(where), port, serving)
            else:
                wait_listening(where, port, serving)

        serving, asking = start_exchange(server, client, run, wait)
        asked = asking.wait(PATIENCE)
        # The listener that the client came too early for has to come.
        early = run.found_nobody(asked) and wait_listener(self.listens(server), used, serving)
        # The server ends by itself unless the client failed.
        served = serving.wait(PATIENCE) if asked.ok else serving.kill()
        problems = run.problems(asked, serves=False)
        if asked.ok:
            problems += [f"the server {problem}" for problem in run.problems(served, serves=True)]
        return _Ended(
            problems, f"\nthe client:\n{asked.output}\nthe server:\n{served.output}", early
        )
