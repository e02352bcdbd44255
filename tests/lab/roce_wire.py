# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The RoCE v2 transport of tests/connectx against the kernel's rxe, through a tap device."""

from __future__ import annotations

import subprocess

from support_py.suite import HostTest, main
from vrdma_lab import paths

TAP, RXE = "roce0", "rxe_wire"

_SETUP = f"""
set -e
modprobe tun
ip tuntap add dev {TAP} mode tap
ip link set {TAP} address 02:00:00:00:00:01
ip addr add 10.10.0.1/24 dev {TAP}
ip addr add fd10::1/64 dev {TAP} nodad
ip link set {TAP} up
ip neigh add 10.10.0.2 lladdr 02:00:00:00:00:02 nud permanent dev {TAP}
ip neigh add fd10::2 lladdr 02:00:00:00:00:02 nud permanent dev {TAP}
rdma link add {RXE} type rxe netdev {TAP}
"""


class RoceWire(HostTest):
    @classmethod
    def prepare(cls) -> None:
        cls.host.shell(_SETUP)
        cls.addClassCleanup(cls.host.shell, f"rdma link delete {RXE}; ip link del {TAP}")

    def test_each_operation_each_way(self) -> None:
        program = paths.lab_program("roce_against_rxe")
        subprocess.run([program, RXE, TAP], check=True)


if __name__ == "__main__":
    main()
