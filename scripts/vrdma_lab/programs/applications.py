# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The programs of image/applications.py between two sides, or a side and itself.

The programs choose device and GID themselves where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vrdma_lab.errors import LabError
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.programs.traffic import PATIENCE, Pair, start_exchange


class Application(Pair, Protocol):
    """A program with its options, for two sides."""

    @property
    def title(self) -> str:
        """The program with its options."""
        ...

    @property
    def server_ends(self) -> bool:
        """Whether the server ends with its client."""
        ...

    def problem(self, client: Outcome) -> str:
        """What is wrong with the client's output; empty if nothing is."""
        ...


@dataclass(frozen=True)
class UcxPerftest:
    """ucx_perftest, over UCT's transport `transport`, or over UCP where there is none.

    UCP chooses among the transports `UCX_TLS` of the environment. A side that `addresses` has by
    its name uses the GID of that address.
    """

    test: str
    transport: str = ""
    size: int = 8
    iterations: int = 500
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    server_ends = True

    @property
    def title(self) -> str:
        """The program with its options."""
        over = f"-x {self.transport}" if self.transport else _words(self.environment)
        words = ["ucx_perftest", "-t", self.test, "-s", str(self.size), over, *self.options]
        return " ".join(filter(None, words))

    def command(self, side: Side, peer: Side, port: int, serves: bool) -> str:
        """The command line of one of the two sides."""
        words = [_words(self.environment), LINE_BUFFERED, "ucx_perftest", "-f", "-p", str(port)]
        if side.name in self.addresses:
            words.insert(0, f"UCX_IB_GID_INDEX={side.gid_index(self.addresses[side.name])}")
        words += ["-t", self.test, "-s", str(self.size), "-n", str(self.iterations)]
        words += ["-w", str(min(self.iterations, 100)), *self.options]
        if self.transport:
            words += ["-x", self.transport, "-d", f"{side.device}:1"]
        return " ".join(words if serves else [*words, peer.ip])

    def problem(self, client: Outcome) -> str:
        """UCX says what it does not like with its severity, and goes on.

        A host's RNIC has another GID when vrdmad announces a machine's address; UCX warns of it.
        """
        for line in client.output.splitlines():
            warns = " WARN " in line and "GID table change" not in line
            if " ERROR " in line or warns:
                return line
        return "" if client.output.strip() else "it printed no figures"


@dataclass(frozen=True)
class Qperf:
    """Some tests of qperf, with the connection manager.

    Without the connection manager, qperf addresses by LID, which no RoCE has; so its tests of UC
    and UD fail wherever RoCE is.
    """

    tests: tuple[str, ...]
    seconds: int = 1
    options: tuple[str, ...] = ("-cm1",)
    server_ends = False

    @property
    def title(self) -> str:
        """The program with its options."""
        return " ".join(("qperf", *self.options, *self.tests))

    def command(self, side: Side, peer: Side, port: int, serves: bool) -> str:
        """The command line of one of the two sides."""
        if serves:
            return f"qperf -lp {port}"
        words = ["qperf", peer.ip, "-lp", str(port), "-t", str(self.seconds)]
        return " ".join((*words, *self.options, *self.tests))

    def problem(self, client: Outcome) -> str:
        """Each test has a paragraph with its name and a figure."""
        missing = [test for test in self.tests if f"{test}:\n" not in client.output]
        return f"no figures of {' '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class FiPingpong:
    """libfabric's fi_pingpong over an endpoint of the provider, with all sizes of data checked."""

    endpoint: str  # msg, rdm or dgram
    provider: str = "verbs"
    iterations: int = 10
    options: tuple[str, ...] = ()
    server_ends = True

    @property
    def title(self) -> str:
        """The program with its options."""
        return " ".join(("fi_pingpong", "-p", f"'{self.provider}'", "-e", self.endpoint))

    def command(self, side: Side, peer: Side, port: int, serves: bool) -> str:
        """The command line of one of the two sides."""
        words = [LINE_BUFFERED, "fi_pingpong", "-p", f"'{self.provider}'", "-e", self.endpoint]
        words += ["-I", str(self.iterations), "-c", *self.options]
        words += ["-B", str(port)] if serves else ["-P", str(port), peer.ip]
        return " ".join(words)

    def problem(self, client: Outcome) -> str:
        """The table has a line for each size."""
        return "" if "64 " in client.output else "it has no table"


def run(server: Side, client: Side, application: Application, patience: float = PATIENCE) -> str:
    """Runs an application once; what went wrong with it, which is empty if nothing did."""
    serving, asking = start_exchange(server, client, application)
    try:
        asked = asking.wait(patience)
        problem = application.problem(asked) if asked.ok else f"status {asked.status}"
        if application.server_ends and not problem:
            served = serving.wait(patience)
            problem = "" if served.ok else f"the server ended with status {served.status}"
    except LabError as error:
        problem = str(error)
    serving.kill()
    if not problem:
        return ""
    return (
        f"{application.title}, {client.name} to {server.name}: {problem}\n"
        f"the client:\n{asking.output}\nthe server:\n{serving.output}"
    )


def _words(environment: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in environment.items())
