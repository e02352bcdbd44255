# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The host's RNIC without any guest, on which the other suites build."""

from __future__ import annotations

from support_py.suite import HostTest, main
from vrdma_lab.host.counters import rdma_resources
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.programs.traffic import Exchange


class Native(HostTest):
    def test_kvm_can_be_opened(self) -> None:
        self.host.native.must("exec 3<> /dev/kvm")

    def test_its_port_is_active(self) -> None:
        output = self.host.native.must(f"ibv_devinfo -d {self.host.device}")
        self.assertRegex(output, r"state:\s+PORT_ACTIVE")

    def test_pingpongs(self) -> None:
        native = self.host.native
        for kind in ("rc", "uc", "ud", "srq"):
            self.exchange(native, native, Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e")))

    def test_perftest(self) -> None:
        native = self.host.native
        for verb in ("send", "write", "read", "atomic"):
            self.exchange(native, native, Exchange(f"ib_{verb}_bw", 4096, 200))

    def test_resources_are_counted(self) -> None:
        before = rdma_resources(self.host.device)
        native = self.host.native
        server = native.start(
            f"exec env {LINE_BUFFERED} ibv_rc_pingpong -e -d {self.host.device} -g 0"
        )
        server.wait_for("local address")
        during = rdma_resources(self.host.device)
        server.kill()
        self.assertEqual(during["qp"], before["qp"] + 1)
        self.assertEqual(during["mr"], before["mr"] + 1)
        self.assertEqual(rdma_resources(self.host.device), before)


if __name__ == "__main__":
    main()
