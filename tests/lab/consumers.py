# SPDX-License-Identifier: Apache-2.0
"""The kernel's consumers of RDMA in guests of the host's RNIC."""

from __future__ import annotations

from support import GuestsTest, main
from vrdma_lab import consumers_test
from vrdma_lab.guest import Guest


class Consumers(GuestsTest, consumers_test.ConsumersTest):
    modules = consumers_test.CONSUMERS

    def consumers_guests(self) -> list[Guest]:
        return [self.a]

    def traffic(self) -> None:
        self.exchange(self.b, self.a)
        self.exchange(self.host.native, self.a)


if __name__ == "__main__":
    main()
