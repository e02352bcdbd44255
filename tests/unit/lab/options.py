# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The options of the commands in scripts/."""

from __future__ import annotations

import contextlib
import io
import tempfile
import unittest
from collections.abc import Callable, Sequence
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.bench import cases
from vrdma_lab.cli import bench, command, demo, fuzz, lab, test
from vrdma_lab.cli.command import Refusal
from vrdma_lab.conformance.targets import TARGETS
from vrdma_lab.errors import Interrupted, LabError
from vrdma_lab.setup.fuzz_corpus import LIMIT, choose

Parse = Callable[[Sequence[str]], object]


class OptionsTest(unittest.TestCase):
    def assert_refused(self, parse: Parse, said: str, *words: str) -> None:
        with self.subTest(words), self.assertRaises(Refusal) as refused:
            parse(words)
        self.assertEqual(str(refused.exception), said)

    def output(self) -> str:
        """The name of a file that can be written."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        return str(Path(folder).resolve() / "x.json")


class Conventions(OptionsTest):
    def run_command(self, act: Callable[[], int]) -> tuple[int, str]:
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            status = command.run("demo", act)
        return status, errors.getvalue()

    def test_a_refusal_has_a_sentence_a_hint_and_the_status_2(self) -> None:
        def act() -> int:
            raise Refusal("there is no option '--bogus'")

        said = "demo: there is no option '--bogus'\nTry 'demo --help'.\n"
        self.assertEqual(self.run_command(act), (2, said))

    def test_a_failure_has_the_status_1(self) -> None:
        def act() -> int:
            raise LabError("no kernel")

        self.assertEqual(self.run_command(act), (1, "demo: no kernel\n"))

    def test_a_signal_has_the_status_that_a_shell_gives_it(self) -> None:
        def act() -> int:
            raise Interrupted(15)

        self.assertEqual(self.run_command(act)[0], 143)

    def test_the_help_is_printed_as_it_is_written(self) -> None:
        for each in (bench, demo, lab, test):
            with contextlib.redirect_stdout(io.StringIO()) as output:
                with self.assertRaises(SystemExit) as ended:
                    each.parse(["--help"])
            self.assertEqual((ended.exception.code, output.getvalue()), (0, each.HELP))

    def test_names_are_listed_as_in_a_sentence(self) -> None:
        listed = [command.listed(names) for names in (("a",), ("a", "b"), ("a", "b", "c"))]
        self.assertEqual(listed, ["a", "a or b", "a, b or c"])


class Demo(OptionsTest):
    def test_there_are_defaults(self) -> None:
        self.assertEqual(demo.parse([]), demo.Options("6.1", 2, None))

    def test_values_follow_or_are_joined(self) -> None:
        output = self.output()
        expected = demo.Options("6.12", 8, Path(output))
        self.assertEqual(demo.parse(["--kernel", "6.12", "--guests=8", "--json", output]), expected)

    def test_what_is_installed_brings_its_own_kernel(self) -> None:
        self.assertEqual(demo.parse(["--installed"]), demo.Options("installed", 2, None))
        said = "--kernel does not go with --installed"
        self.assert_refused(demo.parse, said, "--installed", "--kernel", "6.1")

    def test_mistakes_are_named(self) -> None:
        no_kernel = "there is no guest kernel '5.10': 6.1 or 6.12"
        self.assert_refused(demo.parse, no_kernel, "--kernel", "5.10")
        for wrong in ("1", "9", "two", "", "02"):
            said = f"--guests takes 2 to 8, not '{wrong}'"
            self.assert_refused(demo.parse, said, f"--guests={wrong}")
        self.assert_refused(demo.parse, "--json needs a value", "--json")
        self.assert_refused(demo.parse, "cannot write '/nowhere/x'", "--json", "/nowhere/x")
        self.assert_refused(demo.parse, "cannot write '/'", "--json", "/")
        self.assert_refused(demo.parse, "there is no option '--bogus'", "--bogus")
        self.assert_refused(demo.parse, "there is no option 'word'", "word")

    def test_options_are_not_abbreviated(self) -> None:
        self.assert_refused(demo.parse, "there is no option '--kern'", "--kern", "6.1")


class Lab(OptionsTest):
    def test_a_command_is_one_word(self) -> None:
        found = lab.parse(["--rnic", "siw", "exec", "rdma link; ls -l"])
        expected = ("exec", ("siw",), "rdma link; ls -l")
        self.assertEqual((found.what, found.rnics, found.command), expected)
        self.assert_refused(lab.parse, "exec needs a command, as one word", "exec")
        self.assert_refused(lab.parse, "there is no command 'b'", "exec", "a", "b")

    def test_suites_and_options_may_take_turns(self) -> None:
        found = lab.parse(["run", "direct", "--filter", "x", "exits", "--kernel=6.12"])
        self.assertEqual([suite.name for suite in found.suites], ["direct", "exits"])
        self.assertEqual((found.filter, found.kernel), ("x", "6.12"))

    def test_all_suites_are_those_of_the_folder(self) -> None:
        files = {file.stem for file in (paths.SOURCE / "tests" / "lab").glob("*.py")}
        found = lab.parse(["run", "--all"])
        self.assertEqual({suite.name for suite in found.suites}, files - {"command"})
        self.assertEqual(set(found.rnics), {"rxe", "siw", *(s.rnic for s in found.suites)})

    def test_a_suite_runs_on_the_rnic_that_is_named(self) -> None:
        found = lab.parse(["run", "direct", "siw", "--rnic", "mlx5"])
        self.assertEqual([suite.rnic for suite in found.suites], ["mlx5", "mlx5"])
        self.assertEqual(set(found.rnics), {"mlx5"})
        self.assertEqual(set(lab.parse(["run", "direct"]).rnics), {"rxe"})

    def test_the_second_hosts_rnic_stays_when_another_is_named_for_the_first(self) -> None:
        (suite,) = lab.parse(["run", "wire", "--rnic", "siw"]).suites
        self.assertEqual((suite.rnic, suite.other_rnic), ("siw", "rxe"))

    def test_a_suite_on_siw_needs_siw(self) -> None:
        self.assertIn("siw", lab.parse(["run", "siw"]).rnics)

    def test_mistakes_are_named(self) -> None:
        which = "run which suites? --list names them, --all takes all"
        self.assert_refused(lab.parse, "--shell, exec, run or --list?")
        self.assert_refused(lab.parse, "there is no command 'frobnicate'", "frobnicate")
        self.assert_refused(lab.parse, which, "run")
        no_suite = "there is no suite 'nothing': --list names them"
        self.assert_refused(lab.parse, no_suite, "run", "nothing")
        self.assert_refused(lab.parse, "--all and 'native' at once", "run", "native", "--all")
        self.assert_refused(lab.parse, "'shell' and 'exec' at once", "--shell", "exec", "true")
        self.assert_refused(lab.parse, "'shell' and 'list' at once", "--shell", "--list")
        belongs = "--all, --json and --filter belong to run"
        for more in (("--all",), ("--filter", "x"), ("--json", self.output())):
            self.assert_refused(lab.parse, belongs, "--shell", *more)
        no_rnic = "there is no RNIC 'mlx4': rxe, siw, mlx5, mlx5-faulty or mlx5-ib"
        self.assert_refused(lab.parse, no_rnic, "--rnic", "mlx4", "--shell")
        self.assert_refused(lab.parse, "--all takes no value", "run", "--all=yes")


class Test(OptionsTest):
    def test_a_short_form_is_the_default(self) -> None:
        found = test.parse([])
        self.assertEqual((found.selection, found.kernel, found.filter), ("short", "6.1", ""))
        self.assertFalse(found.long)
        self.assertTrue(test.parse(["all", "--long"]).long)

    def test_conformance_has_all_suites_on_all_targets_unless_told_otherwise(self) -> None:
        found = test.parse(["conformance"])
        self.assertEqual(found.suites, ("44", "56"))
        self.assertEqual(found.targets, tuple(TARGETS))
        words = "conformance --target embedded --suite 56 --target native"
        found = test.parse(words.split())
        self.assertEqual((found.suites, found.targets), (("56",), ("native", "embedded")))

    def test_mistakes_are_named(self) -> None:
        belong = "--suite, --target and --json belong to conformance"
        for more in (("--suite=44",), ("--target=native",), ("--json", self.output())):
            self.assert_refused(test.parse, belong, "unit", *more)
        kernel = "--kernel is not for conformance: each suite has the kernel of its Debian"
        self.assert_refused(test.parse, kernel, "conformance", "--kernel", "6.1")
        no_suite = "there is no suite '45': 44 or 56"
        self.assert_refused(test.parse, no_suite, "conformance", "--suite", "45")
        no_target = (
            "there is no target 'x': native, direct, embedded, native-mlx5 or direct-mlx5"
        )
        self.assert_refused(test.parse, no_target, "conformance", "--target", "x")
        self.assert_refused(test.parse, "there is no option 'units'", "units")

    def test_ctest_gets_the_selection_and_the_filter(self) -> None:
        options = test.parse(["e2e", "--filter", "devinfo|nvme"])
        words = test.ctest_command(options, Path("/x.xml"))
        self.assertEqual(words[-4:], ["-L", "^e2e$", "-R", "devinfo|nvme"])
        self.assertNotIn("-L", test.ctest_command(test.parse(["all"]), Path("/x.xml")))
        words = test.ctest_command(test.parse([]), Path("/x.xml"))
        self.assertEqual(words[-2:], ["-L", "^(unit|short)$"])

    def test_the_last_line_counts(self) -> None:
        results = '<testsuite tests="9" failures="{}" skipped="{}" disabled="0"/>'
        self.assertEqual(test.summary(results.format(0, 0)), ("9 passed, 0 failed", True))
        skipped = ("6 passed, 2 failed, 1 skipped", False)
        self.assertEqual(test.summary(results.format(2, 1)), skipped)


class Bench(OptionsTest):
    def test_there_are_defaults(self) -> None:
        found = bench.parse(["lab"])
        self.assertEqual((found.what, found.rounds, found.rnic), ("lab", 5, ""))
        self.assertEqual(found.groups, tuple(cases.GROUPS))

    def test_values_are_taken(self) -> None:
        words = "lab --rounds 99 --groups latency,parts --rnic embedded"
        found = bench.parse(words.split())
        taken = (found.rounds, found.groups, found.rnic)
        self.assertEqual(taken, (99, ("latency", "parts"), "embedded"))

    def test_mistakes_are_named(self) -> None:
        self.assert_refused(bench.parse, "which benchmark?")
        self.assert_refused(bench.parse, "there is no benchmark or option 'fast'", "fast")
        self.assert_refused(bench.parse, "'lab' and 'embedded' at once", "lab", "embedded")
        only_json = "of these options, embedded has only --json"
        self.assert_refused(bench.parse, only_json, "embedded", "--rounds", "3")
        for wrong in ("0", "100", "-1", "x"):
            said = f"--rounds takes 1 to 99, not '{wrong}'"
            self.assert_refused(bench.parse, said, "lab", f"--rounds={wrong}")
        groups = f"--groups takes some of {','.join(cases.GROUPS)}, not 'latency,'"
        self.assert_refused(bench.parse, groups, "lab", "--groups", "latency,")
        self.assert_refused(bench.parse, "--rnic takes a name, not 'a/b'", "lab", "--rnic=a/b")
        self.assert_refused(bench.parse, "cannot read '/nowhere'", "lab", "--from", "/nowhere")
        alone = "--from measures nothing: it goes with --markdown and --picture alone"
        self.assert_refused(bench.parse, alone, "lab", "--from", __file__, "--rounds", "3")
        only = "dashboard needs --picture FILE, and has no other option"
        self.assert_refused(bench.parse, only, "dashboard")
        self.assert_refused(bench.parse, only, "dashboard", "--picture=x.svg", "--rounds=3")
        curves = "--picture draws the group curves, which is not among the groups"
        self.assert_refused(
            bench.parse, curves, "lab", "--picture", "new.svg", "--groups", "parts"
        )


class Fuzz(OptionsTest):
    def test_all_are_the_targets_that_cmake_builds(self) -> None:
        chosen = fuzz.parse(["all"]).targets
        self.assertIn("split_ring", chosen)
        self.assertEqual(chosen, tuple(fuzz.targets()))

    def test_a_time_has_a_unit(self) -> None:
        for text, wanted in (("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200)):
            self.assertEqual(fuzz.parse(["config", "--time", text]).time, wanted)

    def test_a_seed_is_for_runs_that_keep_nothing(self) -> None:
        self.assertIsNone(fuzz.parse(["config"]).seed)
        self.assertEqual(fuzz.parse(["config", "--seed", "7"]).seed, 7)
        self.assert_refused(fuzz.parse, "--seed takes a number from 1 up, not '0'",
                            "config", "--seed", "0")
        self.assert_refused(fuzz.parse, "--keep is not for a run with a seed, which keeps nothing "
                            "here", "config", "--seed", "7", "--keep")

    def test_mistakes_are_refused(self) -> None:
        self.assert_refused(fuzz.parse, "there is no target 'x': --list names them", "x")
        self.assert_refused(fuzz.parse, "name a target, or all")
        for time in ("0", "1d", "m", "-5"):
            self.assert_refused(
                fuzz.parse, f"'{time}' is no time: write 90, 90s, 15m or 2h",
                "config", f"--time={time}",
            )

    def test_a_corpus_is_small_and_has_each_input_once(self) -> None:
        inputs = [b"b", b"a", b"b", b"", bytes(2000), *(bytes([i]) * 1000 for i in range(40))]
        chosen = choose(inputs)
        self.assertEqual(chosen[:2], [b"a", b"b"])
        self.assertLessEqual(sum(map(len, chosen)), LIMIT)
        self.assertEqual(len(chosen), 2 + LIMIT // 1000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
