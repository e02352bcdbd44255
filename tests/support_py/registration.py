# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base class of the tests that compare registrations in a guest with those on the host.

mr_edges prints a line for each; a line that differs needs a reason.
"""

from __future__ import annotations

import unittest

from support_py.exchange import PATIENCE
from vrdma_lab.host.rdma_host import RdmaHost
from vrdma_lab.machine.side import Side
from vrdma_lab.paths import lab_program
from vrdma_lab.vm.guest import Guest


def table(output: str) -> dict[str, str]:
    """The results that mr_edges prints, by what it tried."""
    return dict(line.rsplit(": ", 1) for line in output.splitlines())


# vrdma's specification wants a region whose addresses do not wrap (docs/spec.md, REG_MR).
DIFFERENT = {"an iova around the end": "Invalid argument"}

# What a guest's kernel has no verb for, whatever the RNIC's driver says to it on the host.
UNKNOWN = {"a dma-buf that is none": "Operation not supported"}


class RegistrationTest(unittest.TestCase):
    """A class of tests gives the host and a guest whose kernel is the host's."""

    host: RdmaHost
    # The guest's results that differ, for the reasons given with them.
    different = DIFFERENT

    @property
    def a(self) -> Guest:
        raise NotImplementedError

    def edges(self, side: Side, command: str) -> dict[str, str]:
        side.must("echo 4 > /proc/sys/vm/nr_hugepages")
        try:
            return table(side.must(f"{command} {side.device}", PATIENCE))
        finally:
            side.must("echo 0 > /proc/sys/vm/nr_hugepages")

    def test_registrations_end_as_on_the_host(self) -> None:
        native = self.edges(self.host.native, str(lab_program("mr_edges")))
        guest = self.edges(self.a, "mr_edges")
        self.assertEqual(list(guest), list(native))
        for what, result in UNKNOWN.items():
            self.assertEqual(guest.pop(what), result)
        found = {what: guest[what] for what in guest if guest[what] != native[what]}
        for what, result in found.items():
            if self.different.get(what) != result:
                print(f"{what}: {result}; on the host: {native[what]}")
        self.assertEqual(found, self.different)
        self.assertEqual(self.a.complaints(), "")
