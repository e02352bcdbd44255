# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""perftest's programs in all their ways of running, and checks of what they print."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.machine.side import Side
from vrdma_lab.test_form import is_long

# The transports for which Debian's perftest has a program of each verb. rxe has no XRC, DC or SRD.
TRANSPORTS = {"send": ("RC", "UC", "UD"), "write": ("RC", "UC"), "read": ("RC",), "atomic": ("RC",)}
LARGEST_MESSAGE = 8 << 20
LARGEST_DATAGRAM = 1024  # the path MTU of an Ethernet with packets of 1500 bytes
ATOMIC_SIZE = 8
ALL_SIZES = 0
MANY = 16  # queue pairs

# Words that mean trouble, in any letters, on either side.
_WORRYING = re.compile(
    r"error|fail|unable|could ?n[o']t|cannot|can't|syndrom|unexpected|abort|fault|timed? ?out|"
    r"refused|rejected|invalid",
    re.IGNORECASE,
)
_MEASURED = "measured"

# The words of a client that comes when nobody listens, natively as well. With -R perftest makes two
# connections, one to agree by and one to measure. The server's listener of the first is gone before
# that of the second is there, and nothing holds the client back meanwhile
# (create_rdma_cm_connection()). perftest 4.5 means to try again then, and crashes, because it has
# freed what it tries with (rdma_cm_client_connection(), rdma_cm_destroy_cma()).
_NOBODY_LISTENS = r"""^RDMA CM event error:
Event: {event}\.

ERRNO: .*
Failed to handle RDMA CM event\.
ERRNO: .*
Failed to connect RDMA CM events\.$"""
# A connection's REJ has IB_CM_REJ_INVALID_SERVICE_ID, and a datagram service's SIDR REP
# IB_SIDR_UNSUPPORTED.
_NO_SUCH_SERVICE = "RDMA_CM_EVENT_REJECTED; error: 8"
_NO_SUCH_DATAGRAM_SERVICE = "RDMA_CM_EVENT_UNREACHABLE; error: 1"


@dataclass(frozen=True)
class Run:
    """One way to run one program."""

    verb: str
    what: str  # lat or bw
    transport: str
    iterations: int
    size: int = ALL_SIZES
    events: bool = False
    both_ways: bool = False
    pairs: int = 1
    connects: bool = False  # the connection manager makes the connections
    announced: bool = False  # with the addresses of both sides that the host's RNIC has too
    options: tuple[str, ...] = ()

    @property
    def combines(self) -> bool:
        """Whether the run has several of the things of which another run has each alone.

        They are another transport than RC, events, both directions, and many queue pairs.
        """
        return (self.transport != "RC") + self.events + self.both_ways + (self.pairs > 1) > 1

    @property
    def program(self) -> str:
        """The program's name."""
        return f"ib_{self.verb}_{self.what}"

    @property
    def title(self) -> str:
        """The program with its options."""
        return " ".join((self.program, *self._words()))

    @property
    def limit(self) -> int:
        """The largest message that the transport carries."""
        return LARGEST_DATAGRAM if self.transport == "UD" else LARGEST_MESSAGE

    def _words(self) -> list[str]:
        words = ["-c", self.transport, "-n", str(self.iterations)]
        if self.verb != "atomic":
            words += ["-a"] if self.size == ALL_SIZES else ["-s", str(self.size)]
        if self.events:
            words.append("-e")
        if self.both_ways:
            words.append("-b")
        if self.pairs > 1:
            words += ["-q", str(self.pairs)]
        if self.connects:
            words.append("-R")
        return [*words, *self.options]

    def command(self, side: Side, peer: Side, port: int, serves: bool) -> str:
        """The command line of one of the two sides."""
        words = [
            LINE_BUFFERED,
            self.program,
            "-F",
            "-d",
            side.device,
            "-p",
            str(port),
            *self._words(),
        ]
        if not self.connects:
            words += side.gid_option("-x", peer)
        if not serves:
            words.append(self._target(side, peer))
        return " ".join(words)

    def _target(self, side: Side, peer: Side) -> str:
        if self.announced:
            return peer.underlay
        return peer.address_towards(side) if self.connects else peer.ip

    @property
    def answers_headers(self) -> bool:
        """Whether the server makes its address handle by ibv_init_ah_from_wc()."""
        return self.connects and self.transport == "UD" and (self.what == "lat" or self.both_ways)

    def sizes(self) -> list[int]:
        """The sizes of the rows in the client's table."""
        if self.verb == "atomic":
            return [ATOMIC_SIZE]
        if self.size != ALL_SIZES:
            return [self.size]
        return [1 << power for power in range(1, self.limit.bit_length())]

    def served_sizes(self) -> list[int]:
        """The sizes of the rows in the server's table.

        The server knows only the messages that it takes part in, and what the client tells it in
        the end.
        """
        if self.what == "lat":
            return self.sizes() if self.verb in ("send", "write") else []
        if self.verb == "send" or self.both_ways:
            return self.sizes()
        return self.sizes()[-1:]

    def problems(self, outcome: Outcome, serves: bool) -> list[str]:
        """The problems with the end of one of the two sides, and with its output."""
        found = [] if outcome.ok else [f"ended with status {outcome.status}"]
        found += [
            f"said: {line.strip()}"
            for line in outcome.output.splitlines()
            if _WORRYING.search(line)
        ]
        rows = re.findall(r"^ *(\d+)[ \t]+(\d+)[ \t]+(\S.*)$", outcome.output, re.MULTILINE)
        sizes = [int(size) for size, _, _ in rows]
        wanted = self.served_sizes() if serves else self.sizes()
        if sizes != wanted:
            found.append(f"has rows for {sizes}, not for {wanted}")
        for size, iterations, figures in rows:
            if int(iterations) != self.iterations * self.pairs:
                found.append(
                    f"did {iterations} iterations of {size} bytes, "
                    f"not {self.iterations * self.pairs}"
                )
            found += [
                f"{_MEASURED} {value} with {size} bytes"
                for value in figures.split()
                if not _measured(value)
            ]
        return found

    def found_nobody(self, asked: Outcome) -> bool:
        """Whether the client came while its server, between two listeners, had none."""
        event = _NO_SUCH_DATAGRAM_SERVICE if self.transport == "UD" else _NO_SUCH_SERVICE
        said = re.search(_NOBODY_LISTENS.format(event=event), asked.output, re.MULTILINE)
        return self.connects and not asked.ok and said is not None


def only_measured(problems: list[str]) -> bool:
    """Whether nothing is wrong but figures.

    perftest now and then prints inf or nan under TCG.
    """
    return bool(problems) and all(problem.startswith(_MEASURED) for problem in problems)


def _measured(text: str) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return math.isfinite(value) and value >= 0


def every_way(iterations: int, sweeps: tuple[str, ...] = ("lat", "bw")) -> Iterator[Run]:
    """Each program with each of its transports in all ways of running.

    They are: all sizes, events, both directions, many queue pairs, and in the long form the
    combinations of these, also with the transports besides RC. A program that measures something
    else than `sweeps` has one size instead of all.

    perftest 4.5 does the following nowhere, so that they are not among the ways:

    - events with WRITE ("Events feature not available on WRITE verb");

    - SEND with events in both directions with many queue pairs at once: both ends wait for an event
    that has come already, over rxe between two programs of the host as between guests.
    """
    for run in _all_ways(iterations, sweeps):
        if is_long() or not run.combines:
            yield run


def _all_ways(iterations: int, sweeps: tuple[str, ...]) -> Iterator[Run]:
    for verb, transports in TRANSPORTS.items():
        for transport in transports:
            size = LARGEST_DATAGRAM if transport == "UD" else 65536
            for what in ("lat", "bw"):
                yield Run(verb, what, transport, iterations, ALL_SIZES if what in sweeps else size)
            yield Run(verb, "bw", transport, iterations, size, both_ways=True)
            yield Run(verb, "bw", transport, iterations, size, pairs=MANY)
            yield Run(verb, "bw", transport, iterations, size, both_ways=True, pairs=MANY)
            if verb != "write":
                yield Run(verb, "lat", transport, iterations, size, events=True)
                yield Run(verb, "bw", transport, iterations, size, events=True)
                yield Run(verb, "bw", transport, iterations, size, events=True, both_ways=True)
                yield Run(verb, "bw", transport, iterations, size, events=True, pairs=MANY)
    for what in ("lat", "bw"):
        yield Run("atomic", what, "RC", iterations, options=("-A", "CMP_AND_SWAP"))


# Ways in which the client of the program rarely comes too early.
_SHORT_CONNECTED = {
    ("send", "RC"): "latency",
    ("send", "UD"): "many",
    ("write", "RC"): "both",
    ("read", "RC"): "events",
    ("atomic", "RC"): "many",
}


def connected_ways(iterations: int) -> Iterator[Run]:
    """Each program by the connection manager, which has no UC ("UC is not supported in librdmacm").

    In the short form each transport of each verb has one way, that of _SHORT_CONNECTED: the verb is
    nothing to the connection manager.

    Clients register much memory, or many queue pairs, before they connect to the server's second
    listener. A client with little of it comes before that listener nearly every time, between
    guests that share a processor.
    """
    for verb, transports in TRANSPORTS.items():
        for transport in transports:
            if transport == "UC":
                continue
            size, large = (
                (LARGEST_DATAGRAM, LARGEST_DATAGRAM) if transport == "UD" else (65536, 1 << 20)
            )
            run = partial(
                Run, verb, transport=transport, iterations=iterations, connects=True
            )
            ways = {
                "latency": run("lat", size=large),
                "events": run("bw", size=large, events=verb != "write"),
                "both": run("bw", size=large, both_ways=True),
                "many": run("bw", size=size, pairs=MANY),
            }
            yield from ways.values() if is_long() else [ways[_SHORT_CONNECTED[verb, transport]]]
