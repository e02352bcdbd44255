# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The kernel's consumers of RDMA in guests of the host's RNIC."""

from __future__ import annotations

from support_py import consumers as consumers_test
from support_py.suite import GuestsTest, main
from vrdma_lab.vm.guest import Guest


class Consumers(GuestsTest, consumers_test.ConsumersTest):
    modules = consumers_test.CONSUMERS

    def consumers_guests(self) -> list[Guest]:
        return [self.a]

    def traffic(self) -> None:
        self.exchange(self.b, self.a)
        self.exchange(self.host.native, self.a)


if __name__ == "__main__":
    main()
