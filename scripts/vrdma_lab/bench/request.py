# SPDX-License-Identifier: Apache-2.0
"""The measurements that are asked of an RDMA host, as one word of a command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Request:
    """Some groups of measurements."""

    groups: tuple[str, ...]
    rounds: int
    rnic: str = ""  # the guest's, if it is another than the host's own
    report: str = ""  # the file for the rows, as the host calls it

    def encoded(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def decoded(word: str) -> Request:
        fields = json.loads(word)
        return Request(tuple(fields["groups"]), fields["rounds"], fields["rnic"], fields["report"])
