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
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.runner import Steps

HELP = f"""\
usage: scripts/fuzz TARGET... [--time SECONDS] [--keep]
       scripts/fuzz all [--time SECONDS] [--keep]
       scripts/fuzz --list

Builds fuzz targets with clang, AddressSanitizer and UBSan (preset fuzz), and runs
libFuzzer on each for a time, one after the other.  A run begins with the corpus
that the repository keeps (tests/fuzz/corpora/TARGET.hex, one input a line) and with
what earlier runs have found here (build/fuzz/corpora/TARGET).

  --time SECONDS   for each target (60); it may end in s, m or h
  --keep           then writes those inputs that reach the most, {LIMIT // 1024} KiB at most, to the
                   corpus in the repository
  --list           the names of the targets
  --help           this text

An input that crashes a target is kept in build/fuzz/crashes; the last lines say how
to run it again, and the line for the corpus, with which each build tries it.  The
status is 0 if no target crashed.
"""
_TARGET = re.compile(r"^add_fuzz_target\((\w+)", re.MULTILINE)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_FOLDER = paths.SOURCE / "build" / "fuzz"


def targets() -> list[str]:
    """The names of the targets, from the list that they are built by."""
    lists = (paths.SOURCE / "tests" / "fuzz" / "CMakeLists.txt").read_text()
    return _TARGET.findall(lists)


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
    keep: bool = False
    listed: bool = False


def parse(words: Sequence[str]) -> Options:
    """The options in the words of the command line."""
    parser = Parser(HELP)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--time", default="60")
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
    return Options(tuple(chosen), seconds(found.time), found.keep, found.list)


def _run(target: str, time: int) -> bool:
    """Fuzzes a target; whether it lived."""
    program = _FOLDER / "tests" / "fuzz" / f"{target}_fuzz"
    found, crashes = _FOLDER / "corpora" / target, _FOLDER / "crashes"
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as kept:
        write_inputs(Path(kept), read_corpus(target))
        status = subprocess.run(
            [
                *(program, found, kept, f"-max_total_time={time}", "-print_final_stats=1"),
                *("-timeout=60", "-rss_limit_mb=4096", f"-artifact_prefix={crashes}/{target}-"),
            ],
        ).returncode
    if status == 0:
        return True
    newest = max(crashes.glob(f"{target}-*"), key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise LabError(f"{program} ended with status {status} and kept no input")
    print(f"\nfuzz: {target} has crashed.  To run the input again:\n  {program} {newest}")
    print(f"The line for tests/fuzz/corpora/{target}.hex:\n  {newest.read_bytes().hex()}")
    return False


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
    build_backend(steps, "fuzz", *(f"{name}_fuzz" for name in options.targets))
    os.environ.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    crashed = []
    for target in options.targets:
        print(f"fuzz: {target}, {options.time} seconds", flush=True)
        if not _run(target, options.time):
            crashed.append(target)
        elif options.keep:
            _keep(target)
    lived = len(options.targets) - len(crashed)
    print(f"{lived} passed, {len(crashed)} failed")
    return command.FAILED if crashed else 0


def main() -> int:
    return command.run("fuzz", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
