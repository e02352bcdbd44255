# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/fuzz: libFuzzer on the targets of tests/fuzz."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.cli import command
from vrdma_lab.cli.command import Parser, Refusal
from vrdma_lab.errors import LabError
from vrdma_lab.setup.build import build_backend
from vrdma_lab.setup.fuzz_corpus import LIMIT, choose, read_corpus, write_corpus
from vrdma_lab.setup.kernel import prepare_kernel
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.runner import Steps

HELP = f"""\
usage: scripts/fuzz TARGET... [--time SECONDS] [--seed NUMBER | --keep]
       scripts/fuzz all [--time SECONDS] [--seed NUMBER | --keep]
       scripts/fuzz --list

Builds fuzz targets with clang, AddressSanitizer and those checks of UBSan that cost
little (preset fuzz; the asan preset has all of them and runs the corpora), and runs
libFuzzer on each for a time, one after the other.  A run begins with the corpus
that the repository keeps (tests/fuzz/corpora/TARGET.hex, one input a line) and with
what earlier runs have found here (build/fuzz/corpora/TARGET).

  --time SECONDS   for each target (60); it may end in s, m or h
  --seed NUMBER    begins with the repository's corpus alone, and with the same choices in
                   each run; the tests do so (CTest's fuzz.libfuzzer, in scripts/test all)
  --keep           then writes those inputs that reach the most, {LIMIT // 1024} KiB at most, to the
                   corpus in the repository
  --list           the names of the targets
  --help           this text

An input that crashes a target is kept in build/fuzz/crashes; the last lines say how
to run it again, and the line for the corpus, with which each build tries it.  The
last lines have the number of inputs that each target was given.  The status is 0 if
no target crashed.
"""
_TARGET = re.compile(r"^add_fuzz_target\((\w+)", re.MULTILINE)
_EXECUTIONS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_FOLDER = paths.SOURCE / "build" / "fuzz"
# The target that is built with the layouts in a kernel's headers (tests/connectx/CMakeLists.txt).
_OF_LAYOUTS = "connectx"


def targets() -> list[str]:
    """The names of the targets, from the list that they are built by."""
    lists = (paths.SOURCE / "tests" / "fuzz" / "CMakeLists.txt").read_text()
    return _TARGET.findall(lists)


def programs(chosen: Sequence[str] = ()) -> list[str]:
    """What CMake calls some targets' programs, or all of them."""
    return [f"{name}_fuzz" for name in chosen or targets()]


def seconds(text: str) -> int:
    """A time such as 90, 90s, 15m or 2h."""
    number = text.rstrip("smh")
    unit = text[len(number):] or "s"
    if not number.isdigit() or unit not in _UNITS or int(number) == 0:
        raise Refusal(f"'{text}' is no time: write 90, 90s, 15m or 2h")
    return int(number) * _UNITS[unit]


@dataclass(frozen=True)
class Options:
    """The user's choices."""

    targets: tuple[str, ...]
    time: int = 60
    seed: int | None = None
    keep: bool = False
    listed: bool = False


def parse(words: Sequence[str]) -> Options:
    """The options in the words of the command line."""
    parser = Parser(HELP)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--time", default="60")
    parser.add_argument("--seed")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    found = parser.parse(words)
    known = targets()
    chosen = known if found.targets == ["all"] else found.targets
    for name in chosen:
        if name not in known:
            raise Refusal(f"there is no target '{name}': --list names them")
    if not chosen and not found.list:
        raise Refusal("name a target, or all")
    seed = None
    if found.seed is not None:
        if not found.seed.isdigit() or int(found.seed) == 0:  # 0 is a seed by chance
            raise Refusal(f"--seed takes a number from 1 up, not '{found.seed}'")
        if found.keep:
            raise Refusal("--keep is not for a run with a seed, which keeps nothing here")
        seed = int(found.seed)
    return Options(tuple(chosen), seconds(found.time), seed, found.keep, found.list)


def _fuzz(command_line: Sequence[str | Path]) -> tuple[int, int]:
    """Runs libFuzzer and shows its output; the status, and how many inputs it tried."""
    executions = 0
    with subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True,
                          errors="replace") as fuzzer:
        assert fuzzer.stderr is not None
        for line in fuzzer.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            said = _EXECUTIONS.match(line)
            executions = int(said[1]) if said else executions
    return fuzzer.returncode, executions


def _run(target: str, options: Options) -> int | None:
    """Fuzzes a target; the number of inputs, or None if one of them crashed it."""
    program = _FOLDER / "tests" / "fuzz" / f"{target}_fuzz"
    crashes = _FOLDER / "crashes"
    with tempfile.TemporaryDirectory() as kept, tempfile.TemporaryDirectory() as fresh:
        write_inputs(Path(kept), read_corpus(target))
        found = Path(fresh) if options.seed is not None else _FOLDER / "corpora" / target
        for folder in (found, crashes):
            folder.mkdir(parents=True, exist_ok=True)
        status, executions = _fuzz(
            [
                *(program, found, kept, f"-max_total_time={options.time}"),
                *("-print_final_stats=1", f"-seed={options.seed or 0}"),
                *("-timeout=60", "-rss_limit_mb=4096", f"-artifact_prefix={crashes}/{target}-"),
            ]
        )
    if status == 0:
        return executions
    newest = max(crashes.glob(f"{target}-*"), key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise LabError(f"{program} ended with status {status} and kept no input")
    print(f"\nfuzz: {target} has crashed.  To run the input again:\n  {program} {newest}")
    print(f"The line for tests/fuzz/corpora/{target}.hex:\n  {newest.read_bytes().hex()}")
    return None


def write_inputs(folder: Path, inputs: Sequence[bytes]) -> None:
    """Makes a file of each input."""
    for number, data in enumerate(inputs):
        (folder / f"kept-{number:04}").write_bytes(data)


def _keep(target: str) -> None:
    """Writes what reaches the most to the repository's corpus."""
    program = _FOLDER / "tests" / "fuzz" / f"{target}_fuzz"
    with tempfile.TemporaryDirectory() as merged, tempfile.TemporaryDirectory() as kept:
        write_inputs(Path(kept), read_corpus(target))
        # The inputs of the corpus come first, so that they stay unless a smaller one does as well.
        subprocess.run(
            [program, "-merge=1", merged, kept, _FOLDER / "corpora" / target],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )
        inputs = choose([path.read_bytes() for path in Path(merged).iterdir()])
    write_corpus(target, inputs)
    print(f"fuzz: {target}: the corpus has {len(inputs)} inputs")


def _act(words: Sequence[str]) -> int:
    options = parse(words)
    if options.listed:
        print("\n".join(targets()))
        return 0
    steps = Steps(sys.stderr)
    install_missing(steps, "build", "fuzz")
    if _OF_LAYOUTS in options.targets:
        prepare_kernel(steps, paths.HOST_KERNEL)
    build_backend(steps, "fuzz", *programs(options.targets))
    os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    tried: dict[str, int] = {}
    for target in options.targets:
        print(f"fuzz: {target}, {options.time} seconds", flush=True)
        executions = _run(target, options)
        if executions is None:
            continue
        tried[target] = executions
        if options.keep:
            _keep(target)
    for target in options.targets:
        print(f"{target}: {f'{tried[target]} inputs' if target in tried else 'crashed'}")
    failed = len(options.targets) - len(tried)
    print(f"{len(tried)} passed, {failed} failed")
    return command.FAILED if failed else 0


def main() -> int:
    return command.run("fuzz", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
