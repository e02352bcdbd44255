# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/test: CTest, and rdma-core's tests."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.children import end_tree
from vrdma_lab.cli import command
from vrdma_lab.cli.command import Parser, Refusal
from vrdma_lab.cli.fuzz import programs
from vrdma_lab.cli.test_progress import Progress, read_durations, shares, write_durations
from vrdma_lab.conformance.command import run_conformance
from vrdma_lab.conformance.run import VERSIONS
from vrdma_lab.conformance.targets import TARGETS
from vrdma_lab.errors import LabError
from vrdma_lab.network.rnics import KINDS
from vrdma_lab.setup.build import build_all_qemu_devices, build_backend, build_qemu_device
from vrdma_lab.setup.debian_image import prepare_debian_image
from vrdma_lab.setup.dkms import prepare_dkms
from vrdma_lab.setup.kernel import prepare_kernel
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.prometheus import prepare_prometheus
from vrdma_lab.setup.rdma_core_tests import prepare_rdma_core_tests
from vrdma_lab.setup.rnics import prepare_rnics
from vrdma_lab.setup.runner import Steps, processors
from vrdma_lab.test_form import form_variables

HELP = """\
usage: scripts/test [unit|e2e|lab|packages|all] [--kernel 6.1|6.12] [--filter REGEX] [--long]
       scripts/test conformance [--suite 44|56] [--target TARGET]
                                [--filter REGEX] [--json FILE]

Installs what is missing, builds everything and runs tests by CTest.  Without a
word it is the short form: all tests that need no virtual machine, and some of each
kind that does.  With a word: the tests without virtual machines (unit), those with
(e2e), those on an RDMA host (lab, see scripts/lab), or all of them with those of
rdma-core (see conformance) and libFuzzer (see scripts/fuzz), as continuous
integration runs them (all).  It says how far the tests are, and about how long the
others will take.  packages builds the Debian packages in clean Debians (see
scripts/package), installs, upgrades and removes them there, and goes through
docs/quickstart.md; of these tests, all has those of a host.

  --kernel 6.1|6.12   the kernel of the guests in the e2e tests (6.1); some
                      tests use both whatever this says
  --filter REGEX      only the tests whose names match
  --long              the long form of the tests that have one: more machines,
                      more versions, more combinations of options

With conformance, it runs the tests of rdma-core itself as Debian has them in
python3-pyverbs, on an RDMA host natively, in a guest on the host's RNIC and in a
guest on the embedded RNIC, compares, and writes the table of docs/conformance.md
(only if nothing was left out).  The host's RNIC is rxe, and then the model of a
ConnectX (see scripts/lab).

  --suite 44|56       only that of Debian 12 (44) or 13 (56)
  --target TARGET     only native, direct, embedded, native-mlx5 or direct-mlx5; may
                      be repeated, as may --suite
  --filter REGEX      only the tests whose names match
  --json FILE         an array of objects with suite, target, module, and how many
                      tests passed, skipped, failed

  --help              this text

The last line says how many passed and failed.  The status is 0 if all passed, and
of conformance 0 if no test but those of tests/conformance/known.toml failed, or
passed natively and not in the guest on the host's RNIC, no fewer passed on the
embedded RNIC than natively, and the model saw nothing that it forbids.
"""

# The packages that each selection of tests needs besides those of the build.
SELECTIONS: dict[str, tuple[str, ...]] = {
    "short": ("run", "libvirt", "lab"),
    "unit": (),
    "e2e": ("run", "applications", "debian", "libvirt"),
    "lab": ("run", "applications", "lab"),
    "packages": ("run", "package"),
    "all": ("run", "applications", "debian", "libvirt", "lab", "fuzz", "package"),
}
_CONFORMANCE = "conformance"


@dataclass(frozen=True)
class Options:
    """The user's choices."""

    selection: str = "short"
    long: bool = False
    kernel: str = "6.1"
    filter: str = ""
    suites: tuple[str, ...] = tuple(VERSIONS)  # of conformance
    targets: tuple[str, ...] = tuple(TARGETS)
    json: Path | None = None


def parse(words: Sequence[str]) -> Options:
    """The options in the words of the command line."""
    parser = Parser(HELP)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--kernel", type=command.kernel)
    parser.add_argument("--filter", default="")
    parser.add_argument(
        "--suite", type=command.one_of("suite", tuple(VERSIONS)), action="append", default=[]
    )
    parser.add_argument(
        "--target", type=command.one_of("target", tuple(TARGETS)), action="append", default=[]
    )
    parser.add_argument("--json", type=command.output_file)
    parser.add_argument("--long", action="store_true")
    found = parser.parse(words)
    for word in found.words:
        if word not in (*SELECTIONS, _CONFORMANCE):
            raise Refusal(f"there is no option '{word}'")
    selection = found.words[-1] if found.words else "short"
    if selection == _CONFORMANCE:
        if found.kernel is not None:
            raise Refusal(
                "--kernel is not for conformance: each suite has the kernel of its Debian"
            )
        if found.long:
            raise Refusal("--long is not for conformance")
    elif found.json is not None or found.suite or found.target:
        raise Refusal("--suite, --target and --json belong to conformance")
    suites = tuple(name for name in VERSIONS if name in (found.suite or VERSIONS))
    targets = tuple(name for name in TARGETS if name in (found.target or TARGETS))
    kernel = found.kernel or "6.1"
    return Options(selection, found.long, kernel, found.filter, suites, targets, found.json)


def _conformance(options: Options) -> int:
    # The table alone goes to standard output.
    steps = Steps(sys.stderr)
    install_missing(steps, "build", "run", "lab")
    build_backend(steps, "release", "vrdmad", "vrdmactl")
    build_qemu_device(steps)
    for series in paths.KERNELS:
        prepare_kernel(steps, series)
    prepare_rnics(steps, (TARGETS[name].rnic for name in options.targets))
    for name in options.suites:
        prepare_rdma_core_tests(steps, name)
    return run_conformance(options.suites, options.targets, options.filter, options.json)


def _prepare(selection: str, kernel: str) -> None:
    steps = Steps(sys.stdout)
    # The tests of scripts/check run its tools.
    install_missing(steps, "build", "test", "check", "picture", *SELECTIONS[selection])
    # Before the backend: tests of the model of a ConnectX are built with a kernel's headers.
    if selection == "short":
        kernels = dict.fromkeys((kernel, paths.HOST_KERNEL))
    elif selection in ("unit", "packages"):
        kernels = {}
    else:
        kernels = dict.fromkeys((*paths.KERNELS, paths.NEWEST_KERNEL, *paths.BUILT_KERNELS))
    for series in kernels:
        prepare_kernel(steps, series)
    build_backend(steps, "release")
    if selection == "short":
        build_qemu_device(steps)
    elif selection != "unit":
        build_all_qemu_devices(steps)
    if selection in ("e2e", "all"):
        prepare_dkms(steps)
        prepare_debian_image(steps)
        prepare_prometheus(steps)
    if selection in ("lab", "all"):
        prepare_rnics(steps, KINDS)
    if selection == "all":
        build_backend(steps, "fuzz", *programs())
        for name in VERSIONS:
            prepare_rdma_core_tests(steps, name)


def ctest_command(options: Options, results: Path) -> list[str]:
    """CTest's command line."""
    words = ["ctest", "--test-dir", str(paths.SOURCE / "build" / "release"), "-j", processors()]
    words += ["--output-on-failure", "--no-tests=error", "--output-junit", str(results)]
    if options.selection == "short":
        words += ["-L", "^(unit|short)$"]
    elif options.selection == "all":
        words += ["-LE", "^long$"]
    else:
        words += ["-L", f"^{options.selection}$"]
    return words + (["-R", options.filter] if options.filter else [])


def summary(results: str) -> tuple[str, bool]:
    """The last line of the output, and whether no test failed, from CTest's JUnit file."""
    suite = ElementTree.fromstring(results)
    total, failed = (int(suite.get(key, 0)) for key in ("tests", "failures"))
    skipped = sum(int(suite.get(key, 0)) for key in ("skipped", "disabled"))
    line = f"{total - failed - skipped} passed, {failed} failed"
    return (f"{line}, {skipped} skipped" if skipped else line), failed == 0


def _ctest(options: Options) -> int:
    results = paths.logs() / "ctest.xml"
    environment = {**os.environ, "VRDMA_KERNEL": options.kernel, **form_variables(options.long)}
    words = ctest_command(options, results)
    listed = subprocess.run(
        [*words, "--show-only=json-v1"], capture_output=True, text=True, env=environment, check=True
    ).stdout
    results.unlink(missing_ok=True)
    progress = Progress(shares(listed, int(processors())), read_durations())
    ctest = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace",
        env=environment,
    )
    assert ctest.stdout is not None
    try:
        for line in ctest.stdout:
            print(line, end="", flush=True)
            said = progress.see(line)
            if said is not None:
                print(said, flush=True)
        status = ctest.wait()
    finally:
        if ctest.poll() is None:
            end_tree(ctest.pid)
            ctest.wait()
    write_durations(progress.measured)
    if not results.exists():
        raise LabError(f"ctest ended with status {status} and wrote no results")
    line, passed = summary(results.read_text())
    print(line)
    return status if passed else command.FAILED


def _act(words: Sequence[str]) -> int:
    options = parse(words)
    if options.selection == _CONFORMANCE:
        return _conformance(options)
    _prepare(options.selection, options.kernel)
    return _ctest(options)


def main() -> int:
    return command.run("test", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
