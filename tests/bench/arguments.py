# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The measuring programs' answers to wrong arguments.

The test needs no RDMA device: programs read their arguments first.
"""

from __future__ import annotations

import json
import subprocess
import unittest

from vrdma_lab import paths


class Arguments(unittest.TestCase):
    def run_program(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = paths.build_folder() / "tests" / "bench" / name
        return subprocess.run(
            [str(program), *arguments], capture_output=True, text=True, timeout=30
        )

    def check_refused(self, name: str, said: str, *arguments: str) -> None:
        done = self.run_program(name, *arguments)
        with self.subTest(program=name, arguments=arguments):
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertIn(f"Try '{name} --help'", done.stderr)
            self.assertEqual(done.stdout, "")

    def test_help_is_given(self) -> None:
        for name in ("rdma_latency", "rdma_control"):
            done = self.run_program(name, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith(f"usage: {name}"))

    def test_an_unknown_option_is_refused(self) -> None:
        for name in ("rdma_latency", "rdma_control"):
            self.check_refused(name, "--colour", "--colour")
            self.check_refused(name, "there is no argument 'rxe0'", "rxe0")

    def test_sizes_must_be_sizes(self) -> None:
        for name in ("rdma_latency", "rdma_control"):
            for wrong in (
                "0",
                "-1",
                "4X",
                "4KK",
                "",
                "2,,4",
                "+2",
                " 2",
                "9999999999G",
                "18446744073709551617",
            ):
                self.check_refused(name, "takes a number of bytes", f"--sizes={wrong}")

    def test_a_message_of_more_than_a_port_can_send_is_refused(self) -> None:
        self.check_refused("rdma_latency", "at most 2G", "--sizes", "3G")

    def test_numbers_must_be_in_range(self) -> None:
        for option, wrong in (
            ("--iterations", "0"),
            ("--port", "256"),
            ("--gid-index", "-1"),
            ("--warm-up", "many"),
        ):
            for name in ("rdma_latency", "rdma_control"):
                self.check_refused(name, f"{option} takes a number from", option, wrong)

    def test_an_unknown_name_is_answered_with_those_that_there_are(self) -> None:
        self.check_refused("rdma_latency", "yield, poll, event", "--wait", "sleep")
        self.check_refused(
            "rdma_latency", "write, write-imm, send, read, fetch-add", "--operations", "write,fly"
        )
        self.check_refused("rdma_control", "small, scattered, huge, hugetlb", "--pages", "big")
        self.check_refused("rdma_control", "pd, cq, qp, connect, srq, ah, mr", "--tests", "mw")

    def test_an_operation_that_the_transport_does_not_have_is_refused(self) -> None:
        said = "--transport ud has no --operations read"
        self.check_refused("rdma_latency", said, "--transport=ud", "--operations=read")
        self.check_refused(
            "rdma_latency", "--transport uc has no --operations write", "--transport=uc"
        )

    def test_the_two_forms_of_rdma_control_do_not_mix(self) -> None:
        self.check_refused("rdma_control", "--region tries one region", "--region=1G", "--tests=mr")
        said = "--steps is for one test of one size"
        self.check_refused("rdma_control", said, "--steps")
        self.check_refused("rdma_control", said, "--steps", "--tests=mr", "--sizes=4K,1M")

    def test_vm_exit_takes_no_device(self) -> None:
        self.check_refused("vm_exit", "there is no argument 'rxe0'", "rxe0")

    def test_vm_exit_measures_an_instruction(self) -> None:
        (result,) = json.loads(
            self.run_program("vm_exit", "--json", "--iterations", "100", "--tests", "cpuid").stdout
        )
        self.assertEqual((result["test"], result["iterations"]), ("cpuid", 100))
        self.assertGreater(result["mean_us"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
