# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The judgement of scripts/test conformance on the outcomes of tests."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.conformance.document import document
from vrdma_lab.conformance.results import Known, Result, Results, Run, read_known
from vrdma_lab.conformance.targets import TARGETS, groups
from vrdma_lab.errors import LabError

NATIVE, DIRECT, EMBEDDED = (Run("44", target) for target in ("native", "direct", "embedded"))
NATIVE_MLX5, DIRECT_MLX5 = (Run("44", target) for target in ("native-mlx5", "direct-mlx5"))
TEST = "test_mr.MRTest.test_reg_mr"


def a_result(run: Run, outcome: str, test: str = TEST, reason: str = "") -> Result:
    return Result(run, test.split(".")[0], test, outcome, reason)


def a_known(*targets: str) -> Known:
    return Known(frozenset({TEST}), frozenset({"44"}), frozenset(targets), "a cause")


class Problems(unittest.TestCase):
    def test_a_test_that_passes_everywhere_is_none(self) -> None:
        results = Results(a_result(run, "passed") for run in (NATIVE, DIRECT, EMBEDDED))
        self.assertEqual(results.problems(), [])

    def test_a_test_that_is_skipped_everywhere_is_none(self) -> None:
        results = Results(a_result(run, "skipped") for run in (NATIVE, DIRECT, EMBEDDED))
        self.assertEqual(results.problems(), [])

    def test_the_direct_path_must_not_skip_what_passes_natively(self) -> None:
        results = Results([a_result(NATIVE, "passed"), a_result(DIRECT, "skipped", reason="why")])
        self.assertEqual(
            results.problems(), [f"44 direct: {TEST} passes natively and is skipped: why"]
        )

    def test_the_direct_path_must_not_lack_what_passes_natively(self) -> None:
        other = "test_mr.MRTest.test_dereg_mr"
        results = Results(
            [
                a_result(NATIVE, "passed"),
                a_result(DIRECT, "passed", other),
                a_result(NATIVE, "passed", other),
            ]
        )
        self.assertEqual(
            results.problems(), [f"44 direct: {TEST} passes natively and is missing: "]
        )

    def test_a_failure_is_one_wherever_it_is(self) -> None:
        for run in (NATIVE, DIRECT, EMBEDDED):
            with self.subTest(run=run):
                results = Results([a_result(run, "failed", reason="why")])
                self.assertEqual(results.problems(), [f"{run}: {TEST} failed: why"])

    def test_a_known_one_is_none(self) -> None:
        results = Results(
            [a_result(NATIVE, "passed"), a_result(DIRECT, "failed")], [a_known("direct")]
        )
        self.assertEqual(results.problems(), [])

    def test_one_that_is_known_of_another_target_is_one(self) -> None:
        results = Results(
            [a_result(NATIVE, "passed"), a_result(DIRECT, "failed")], [a_known("embedded")]
        )
        self.assertEqual(len(results.problems()), 1)

    def test_the_embedded_rnic_may_skip_what_passes_natively_if_it_passes_as_many(self) -> None:
        other = "test_mr.MRTest.test_dereg_mr"
        results = Results(
            [
                *(a_result(NATIVE, "passed"), a_result(NATIVE, "skipped", other)),
                *(a_result(EMBEDDED, "skipped"), a_result(EMBEDDED, "passed", other)),
            ]
        )
        self.assertEqual(results.problems(), [])

    def test_the_embedded_rnic_must_not_pass_fewer(self) -> None:
        results = Results([a_result(NATIVE, "passed"), a_result(EMBEDDED, "skipped")])
        self.assertEqual(results.problems(), ["44 embedded: 0 tests pass, natively 1"])

    def test_versions_are_not_compared_with_each_other(self) -> None:
        results = Results([a_result(NATIVE, "passed"), a_result(Run("56", "direct"), "skipped")])
        self.assertEqual(results.problems(), [])

    def test_adapters_are_not_compared_with_each_other(self) -> None:
        results = Results(
            [
                *(a_result(NATIVE_MLX5, "passed"), a_result(DIRECT_MLX5, "passed")),
                *(a_result(NATIVE, "skipped"), a_result(DIRECT, "skipped")),
                a_result(EMBEDDED, "skipped"),
            ]
        )
        self.assertEqual(results.problems(), [])

    def test_the_direct_path_of_each_adapter_must_not_skip_what_passes_natively(self) -> None:
        results = Results(
            [
                *(a_result(NATIVE, "passed"), a_result(DIRECT, "passed")),
                *(a_result(NATIVE_MLX5, "passed"), a_result(DIRECT_MLX5, "skipped", reason="why")),
            ]
        )
        self.assertEqual(
            results.problems(), [f"44 direct-mlx5: {TEST} passes natively and is skipped: why"]
        )

    def test_what_is_known_and_passes_is_said(self) -> None:
        results = Results([a_result(DIRECT, "passed")], [a_known("direct")])
        self.assertEqual(results.needless(), [f"44 direct: {TEST} passes, and is known not to"])


class TooFew(unittest.TestCase):
    def test_fewer_passes_than_a_target_has_to_have_are_a_problem(self) -> None:
        fewest = TARGETS[NATIVE_MLX5.target].fewest
        tests = [f"test_mr.MRTest.test_{number}" for number in range(fewest)]
        results = Results(a_result(NATIVE_MLX5, "passed", test) for test in tests)
        self.assertEqual(results.too_few(), [])
        results = Results(a_result(NATIVE_MLX5, "passed", test) for test in tests[1:])
        self.assertEqual(
            results.too_few(), [f"44 native-mlx5: {fewest - 1} tests pass, not {fewest}"]
        )

    def test_a_target_without_such_a_number_may_pass_none(self) -> None:
        self.assertEqual(Results([a_result(NATIVE, "skipped")]).too_few(), [])


class Targets(unittest.TestCase):
    def test_each_is_compared_with_the_host_of_its_adapter(self) -> None:
        found = {name: target.native.name for name, target in TARGETS.items() if target.native}
        expected = {"direct": "native", "embedded": "native", "direct-mlx5": "native-mlx5"}
        self.assertEqual(found, expected)

    def test_those_with_the_same_adapter_share_a_host(self) -> None:
        expected = [("native", "direct"), ("embedded",), ("native-mlx5", "direct-mlx5")]
        self.assertEqual(groups(TARGETS), expected)
        self.assertEqual(groups(["direct-mlx5", "direct"]), [("direct",), ("direct-mlx5",)])


class Counts(unittest.TestCase):
    def test_they_have_the_keys_that_users_of_the_json_know(self) -> None:
        results = Results(
            [
                a_result(NATIVE, "passed"),
                a_result(NATIVE, "skipped", "test_mr.MRTest.test_dereg_mr"),
            ]
        )
        expected = {
            "suite": "44",
            "target": "native",
            "module": "test_mr",
            "passed": 1,
            "skipped": 1,
            "failed": 0,
        }
        self.assertEqual(results.counts(), [expected])


class Lines(unittest.TestCase):
    def test_of_a_failure_the_last_line_is_the_reason(self) -> None:
        line = {
            "module": "test_mr",
            "test": f"tests.{TEST}",
            "outcome": "failed",
            "reason": "Traceback\n  ...\nError: no\n",
        }
        self.assertEqual(Result.of(NATIVE, line), a_result(NATIVE, "failed", reason="Error: no"))


class KnownFile(unittest.TestCase):
    def read(self, text: str) -> list[Known]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "known.toml"
            path.write_text(text)
            return read_known(path)

    def test_an_entry_has_tests_suites_targets_and_a_cause(self) -> None:
        text = f'[[known]]\ntests = ["{TEST}"]\nsuites = ["44"]\ntargets = ["direct"]\n'
        text += 'cause = """\na\ncause"""\n'
        self.assertEqual(self.read(text), [a_known("direct")])

    def test_an_entry_without_a_cause_is_refused(self) -> None:
        for cause in ("", 'cause = ""\n'):
            with self.subTest(cause=cause), self.assertRaises(LabError):
                self.read(
                    f'[[known]]\ntests = ["{TEST}"]\nsuites = ["44"]\ntargets = ["direct"]\n{cause}'
                )

    def test_that_of_the_project_is_read(self) -> None:
        read_known(paths.SOURCE / "tests" / "conformance" / "known.toml")


class Document(unittest.TestCase):
    def test_it_names_what_passes_natively_only_with_the_cause(self) -> None:
        results = Results(
            [a_result(NATIVE, "passed"), a_result(DIRECT, "failed")], [a_known("direct")]
        )
        self.assertIn(f"| `{TEST}` | 44 direct | failed | a cause |", document(results, []))

    def test_it_names_what_passes_in_guests_only(self) -> None:
        results = Results([a_result(NATIVE, "skipped", reason="why"), a_result(EMBEDDED, "passed")])
        self.assertIn(f"| `{TEST}` | 44 embedded | skipped: why |", document(results, []))

    def test_it_has_a_row_for_each_module(self) -> None:
        results = Results([a_result(NATIVE, "passed"), a_result(EMBEDDED, "skipped", reason="why")])
        self.assertIn("| test_mr | 1 / 0 / 0 | 0 / 1 / 0 |", document(results, []))

    def test_it_names_what_is_skipped_with_the_reason_and_where_if_not_everywhere(self) -> None:
        other = "test_mr.MRTest.test_dereg_mr"
        results = Results(
            [
                *(
                    a_result(NATIVE, "skipped", reason="why"),
                    a_result(DIRECT, "skipped", reason="why"),
                ),
                *(a_result(NATIVE, "passed", other), a_result(DIRECT, "skipped", other, "another")),
            ]
        )
        text = document(results, [])
        self.assertIn("  - why: `MRTest.test_reg_mr`\n", text)
        self.assertIn("  - another (44 direct): `MRTest.test_dereg_mr`\n", text)


if __name__ == "__main__":
    unittest.main()
