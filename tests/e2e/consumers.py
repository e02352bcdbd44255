# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The kernel's consumers of RDMA in guests of the embedded RNIC, with both kernels."""

from __future__ import annotations

from support_py import consumers as consumers_test
from support_py.e2e import KERNEL, OTHER_KERNEL, LabTest, main
from vrdma_lab.vm.guest import Guest


class Consumers(LabTest, consumers_test.ConsumersTest):
    modules = consumers_test.CONSUMERS
    thorough = True

    @classmethod
    def boot(cls) -> None:
        for guest in [cls.lab.launch(1, kernel=KERNEL), cls.lab.launch(2, kernel=OTHER_KERNEL)]:
            guest.wait_booted()

    def consumers_guests(self) -> list[Guest]:
        return self.lab.guests

    def traffic(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        self.exchange(a, b)


if __name__ == "__main__":
    main()
