# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Requests for measurements on an RDMA host, each one word of a command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Request:
    """A request for some groups of measurements."""

    groups: tuple[str, ...]
    rounds: int
    rnic: str = ""  # the guest's, if it is another than the host's own
    report: str = ""  # the file for the rows, as the host calls it

    def encoded(self) -> str:
        """The request as one word."""
        return json.dumps(asdict(self))

    @staticmethod
    def decoded(word: str) -> Request:
        """The request in a word."""
        fields = json.loads(word)
        return Request(tuple(fields["groups"]), fields["rounds"], fields["rnic"], fields["report"])
