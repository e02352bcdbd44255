# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/bench: its options, and the preparation of each benchmark."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.bench import cases, dashboard, embedded, lab, neighbours
from vrdma_lab.cli import command
from vrdma_lab.cli.command import Parser, Refusal
from vrdma_lab.setup.build import build_backend, build_qemu_device
from vrdma_lab.setup.kernel import prepare_kernel
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.prometheus import prepare_prometheus
from vrdma_lab.setup.rnics import prepare_rnics
from vrdma_lab.setup.runner import Steps

HELP = """\
usage: scripts/bench embedded [--json FILE]
       scripts/bench neighbours [--json FILE]
       scripts/bench lab [--json FILE] [--markdown FILE] [--picture FILE]
                         [--rounds N] [--groups LIST] [--rnic NAME]
       scripts/bench lab --from FILE [--markdown FILE] [--picture FILE]
       scripts/bench dashboard --picture FILE

  embedded        the embedded RNIC without any virtual machine: bandwidth beside
                  memcpy's in the same run, latency, and instructions per message
                  from doorbell to completion (counted by callgrind, repeatable)
  neighbours      an honest guest of the embedded RNIC, alone and beside attacks,
                  in instructions and CPU time of the RNIC's worker: no attack costs
                  more than a tenth, an ordinary busy neighbour no more than its
                  share.  Instructions (counted by callgrind) and the time that
                  verbs leave to the workers are repeatable: the status is 1 when
                  one of these misses its bar
  lab             the host's RNIC, natively and in a guest on the direct path, by
                  turns on one host (see scripts/lab): latency, bandwidth, control
                  verbs, large memory regions, connections (of the embedded RNIC as
                  well), and exits of the virtual machine
  dashboard       the Grafana dashboard of vrdma-exporter, drawn with the figures of two
                  guests that use their devices: each panel has what a Prometheus
                  answers to its queries

  --json FILE     the same figures as a JSON array of objects; with the keys name,
                  value, unit for embedded, attack, figure, alone, beside, ratio
                  for neighbours, and for lab with test, bytes, native, guest,
                  ratio, exits_per_message and more
  --markdown FILE the tables of lab for a document; one that is there, such as
                  docs/performance.md, gets them in place of those that it has
  --picture FILE  a picture (SVG) of latency and bandwidth by the size of a message,
                  natively and in the guest (the group curves); or of the dashboard
  --from FILE     no measurement: the tables of what lab --json wrote to FILE
  --rounds N      how often lab repeats each measurement (5)
  --groups LIST   only these of parts,latency,spinning,bandwidth,curves,control,
                  regions,connections,connections_embedded
  --rnic NAME     the host's RNIC of lab: rxe, which is the default, or mlx5, the model
                  of a ConnectX; or embedded, behind the guest's device instead of
                  the host's RNIC, to try the measurements themselves
  --help          this text

The status is 0 if all was measured, 1 if something failed and 2 for a mistake in
the options.  Other figures that miss their bar are no failure: the tables show
them.
"""

_BENCHMARKS = ("embedded", "neighbours", "lab", "dashboard")
_MAX_ROUNDS = 99


@dataclass(frozen=True)
class Options:
    """The user's choices."""

    what: str  # one of _BENCHMARKS
    outputs: lab.Outputs = lab.Outputs()
    source: Path | None = None  # JSON with figures to show, instead of measurements
    rounds: int = cases.ROUNDS
    groups: tuple[str, ...] = tuple(cases.GROUPS)
    rnic: str = ""


def parse(words: Sequence[str]) -> Options:
    """The options in the words of the command line."""
    parser = Parser(HELP)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--json", type=command.output_file)
    parser.add_argument("--markdown", type=command.output_file)
    parser.add_argument("--picture", type=command.output_file)
    parser.add_argument("--from", dest="source", type=_input_file)
    parser.add_argument("--rounds", type=_rounds)
    parser.add_argument("--groups", type=_groups)
    parser.add_argument("--rnic", type=_rnic)
    found = parser.parse(words, "benchmark or option")
    what = _what(found.words)
    if what == "dashboard":
        return Options(what, lab.Outputs(svg=_only_picture(found)))
    measures = [value for value in (found.rounds, found.groups, found.rnic) if value is not None]
    if what != "lab" and (
        measures or found.markdown or found.picture or found.source
    ):
        raise Refusal(f"of these options, {what} has only --json")
    if found.source is not None and (measures or found.json):
        raise Refusal("--from measures nothing: it goes with --markdown and --picture alone")
    if found.picture is not None and found.groups and "curves" not in found.groups:
        raise Refusal("--picture draws the group curves, which is not among the groups")
    return Options(
        what,
        lab.Outputs(found.json, found.markdown, found.picture),
        found.source,
        found.rounds or cases.ROUNDS,
        found.groups or tuple(cases.GROUPS),
        found.rnic or "",
    )


def _only_picture(found: argparse.Namespace) -> Path:
    others = (found.json, found.markdown, found.source, found.rounds, found.groups, found.rnic)
    if found.picture is None or any(each is not None for each in others):
        raise Refusal("dashboard needs --picture FILE, and has no other option")
    picture: Path = found.picture
    return picture


def _what(words: list[str]) -> str:
    for word in words:
        if word not in _BENCHMARKS:
            raise Refusal(f"there is no benchmark or option '{word}'")
    if len(words) > 1:
        raise Refusal(f"'{words[0]}' and '{words[1]}' at once")
    if not words:
        raise Refusal("which benchmark?")
    return words[0]


def _input_file(text: str) -> Path:
    if os.path.isdir(text) or not os.access(text, os.R_OK):
        raise argparse.ArgumentTypeError(f"cannot read '{text}'")
    return Path(text).resolve()


def _rounds(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]?", text):
        raise argparse.ArgumentTypeError(f"--rounds takes 1 to {_MAX_ROUNDS}, not '{text}'")
    return int(text)


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(text.split(","))
    if not set(groups) <= set(cases.GROUPS):
        raise argparse.ArgumentTypeError(
            f"--groups takes some of {','.join(cases.GROUPS)}, not '{text}'"
        )
    return groups


def _rnic(text: str) -> str:
    if not re.fullmatch("[A-Za-z0-9_-]+", text):
        raise argparse.ArgumentTypeError(f"--rnic takes a name, not '{text}'")
    return text


def _prepare_lab(rnic: str) -> None:
    steps = Steps(sys.stdout)
    install_missing(steps, "build", "run", "lab")
    build_backend(steps, "release", "vrdmad", *paths.MEASURING_PROGRAMS)
    build_qemu_device(steps)
    prepare_kernel(steps, paths.HOST_KERNEL)
    prepare_rnics(steps, [rnic])


def _prepare_dashboard() -> None:
    steps = Steps(sys.stdout)
    install_missing(steps, "build", "run", "picture")
    build_backend(steps, "release", "vrdmad", "vrdmactl", "vrdma-exporter")
    build_qemu_device(steps)
    prepare_kernel(steps, dashboard.KERNEL)
    prepare_prometheus(steps)


def _prepare_picture(options: Options) -> None:
    if options.outputs.svg is not None:
        install_missing(Steps(sys.stdout), "picture")


def _prepare_programs(programs: Sequence[str]) -> None:
    steps = Steps(sys.stdout)
    install_missing(steps, "build", "bench")
    build_backend(steps, "release", *programs)


def _act(words: Sequence[str]) -> int:
    options = parse(words)
    if options.what == "embedded":
        _prepare_programs(embedded.PROGRAMS)
        embedded.report(options.outputs.json)
    elif options.what == "neighbours":
        _prepare_programs(neighbours.PROGRAMS)
        if not neighbours.report(options.outputs.json):
            return 1
    elif options.what == "dashboard":
        _prepare_dashboard()
        assert options.outputs.svg is not None
        dashboard.report(options.outputs.svg)
    elif options.source is not None:
        _prepare_picture(options)
        lab.show(options.source, options.outputs)
    else:
        _prepare_lab(options.rnic)
        _prepare_picture(options)
        lab.report(options.groups, options.rounds, options.rnic, options.outputs)
    return 0


def main() -> int:
    return command.run("bench", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
