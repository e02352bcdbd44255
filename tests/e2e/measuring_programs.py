# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The programs of tests/bench that measure an RDMA device.

Every operation, every way to wait and every control verb is measured.
"""

from __future__ import annotations

import json
from typing import Any

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.vm.guest import Guest

COLUMNS = ("min_us", "median_us", "p95_us")


class MeasuringPrograms(LabTest):
    guest_count = 1

    @property
    def guest(self) -> Guest:
        return self.lab.guests[0]

    def measure(self, command: str) -> dict[tuple[str, int], dict[str, Any]]:
        """The results by test and bytes, each of which must make sense."""
        output = self.guest.must(f"{command} --gid-index {self.guest.gid_index()} --json", PATIENCE)
        results = {(result["test"], result["bytes"]): result for result in json.loads(output)}
        for result in results.values():
            figures = [result[column] for column in COLUMNS]
            self.assertEqual(figures, sorted(figures), result)
            self.assertGreater(result["min_us"], 0, result)
            self.assertGreaterEqual(result["mean_us"], result["min_us"], result)
        return results

    def test_each_operation_of_each_transport_is_measured(self) -> None:
        operations = {
            "rc": ("write", "write-imm", "send", "read", "fetch-add"),
            "uc": ("write-imm", "send"),
            "ud": ("send",),
        }
        for transport, names in operations.items():
            options = f"--transport {transport} --operations {','.join(names)} --sizes 2,1K "
            options += "--iterations 50 --warm-up 5"
            expected = {
                (f"{transport}_{name}", size)
                for name in names
                for size in (2, 1024)
                if name != "fetch-add"
            }
            expected |= {("rc_fetch-add", 8)} if transport == "rc" else set()
            results = self.measure(f"rdma_latency {options}")
            self.assertEqual(set(results), expected)
            self.assertEqual({result["iterations"] for result in results.values()}, {50})

    def test_each_way_to_wait_sees_every_completion(self) -> None:
        for wait in ("yield", "poll", "event"):
            options = (
                f"--wait {wait} --sizes 2,64K --operations write,send --iterations 300 --inline 64"
            )
            self.assertEqual(len(self.measure(f"rdma_latency {options}")), 4, wait)

    def test_each_control_verb_is_measured(self) -> None:
        results = self.measure("rdma_control --sizes 4K,1M --iterations 10 --warm-up 1")
        expected = {("alloc_pd", 0), ("dealloc_pd", 0), ("connect_qp", 0)}
        expected |= {
            (f"{verb}_{kind}", 0)
            for verb in ("create", "destroy")
            for kind in ("cq", "qp", "srq", "ah")
        }
        expected |= {(name, size) for name in ("reg_mr", "dereg_mr") for size in (4096, 1 << 20)}
        self.assertEqual(set(results), expected)

    def test_scattered_pages_are_scattered(self) -> None:
        tried = json.loads(
            self.guest.must("rdma_control --region 16M --pages scattered --json", PATIENCE)
        )
        self.assertEqual((tried["bytes"], tried["errno"]), (16 << 20, 0))
        # Here and there two neighbours adjoin by chance.
        self.assertGreater(tried["runs"], 4096 * 0.95)

    def test_huge_pages_are_huge(self) -> None:
        self.guest.must("echo 8 > /proc/sys/vm/nr_hugepages")
        tried = json.loads(
            self.guest.must("rdma_control --region 16M --pages hugetlb --json", PATIENCE)
        )
        self.guest.must("echo 0 > /proc/sys/vm/nr_hugepages")
        self.assertEqual((tried["bytes"], tried["errno"]), (16 << 20, 0))
        self.assertLessEqual(tried["runs"], 8)

    def test_a_missing_device_is_named(self) -> None:
        outcome = self.guest.run("rdma_latency --device nowhere0")
        self.assertEqual(outcome.status, 1)
        self.assertIn("there is no RDMA device 'nowhere0'", outcome.output)

    def test_a_datagram_beyond_the_mtu_is_refused(self) -> None:
        outcome = self.guest.run("rdma_latency --transport ud --operations send --sizes 64K")
        self.assertEqual(outcome.status, 2)
        self.assertIn("a datagram of this port has at most", outcome.output)


if __name__ == "__main__":
    main()
