# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The command scripts/lab: commands, shells and suites on RDMA hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.cli import command
from vrdma_lab.cli.command import Parser, Refusal
from vrdma_lab.host.places import choose_place
from vrdma_lab.host.run_suites import run_suites
from vrdma_lab.host.suites import Suite, all_suites
from vrdma_lab.network.rnics import KINDS
from vrdma_lab.setup.build import build_backend, build_qemu_device
from vrdma_lab.setup.kernel import prepare_kernel
from vrdma_lab.setup.packages import install_missing
from vrdma_lab.setup.rnics import prepare_rnics
from vrdma_lab.setup.runner import Steps

HELP = """\
usage: scripts/lab --shell | exec 'COMMAND' | run SUITE... | run --all | --list
                   [--rnic KIND] [--json FILE] [--filter REGEX] [--kernel 6.1|6.12]

Installs what is missing, builds everything and boots a host VM: a machine
with one processor, an RNIC (rxe0 or siw0, the kernel's own drivers, or mlx5_0, the
model of an adapter that the kernel's mlx5 drives) and a KVM
that works, whatever this machine has.  Its file system is this machine's:
what is written there is gone when it ends.

  --shell             a prompt on that host
  exec 'COMMAND'      run a shell command there; the status is that of the command
  run SUITE...        run suites of tests/lab there
  run --all           run all of them
  --list              name the suites

  --rnic KIND         the RNIC: rxe, siw, mlx5 (RoCE), mlx5-faulty (RoCE on a network
                      that loses frames) or mlx5-ib (InfiniBand); for --shell and exec
                      it is rxe, and a suite has its own
  --json FILE         what the suites found, as a JSON array, one object a suite
  --filter REGEX      only the tests whose names match
  --kernel 6.1|6.12   the kernel of the guests that suites start there (6.1)
  --help              this text

A machine whose own kernel has rdma_rxe and whose KVM works is used as it is,
by root, without a host VM.  VRDMA_LAB=vm prevents that and VRDMA_LAB=host
forces it.

The status is 0 if all went well, 1 if something failed and 2 for a mistake in
the options.
"""


@dataclass(frozen=True)
class Options:
    """The user's choices."""

    what: str  # shell, exec, run or list
    rnic: str = "rxe"
    kernel: str = "6.1"
    command: str = ""
    suites: tuple[Suite, ...] = ()
    json: Path | None = None
    filter: str = ""

    @property
    def rnics(self) -> tuple[str, ...]:
        """The kinds of RNICs that hosts will have."""
        others = (suite.other_rnic for suite in self.suites if suite.other_rnic)
        return self.rnic, *(suite.rnic for suite in self.suites), *others


def parse(words: Sequence[str]) -> Options:
    """The options in the words of the command line."""
    parser = Parser(HELP)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--shell", dest="chosen", action="append_const", const="shell", default=[])
    parser.add_argument("--list", dest="chosen", action="append_const", const="list")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--rnic", type=command.one_of("RNIC", tuple(KINDS)))
    parser.add_argument("--kernel", type=command.kernel, default="6.1")
    parser.add_argument("--filter", default="")
    parser.add_argument("--json", type=command.output_file)
    found = parser.parse(words)
    what, others = _what(found.chosen, found.words)
    if what != "run" and (found.all or found.json is not None or found.filter):
        raise Refusal("--all, --json and --filter belong to run")
    suites = tuple(
        suite.on(found.rnic) for suite in (_suites(others, found.all) if what == "run" else ())
    )
    text = others[0] if what == "exec" else ""
    rnic = found.rnic or "rxe"
    return Options(what, rnic, found.kernel, text, suites, found.json, found.filter)


def _what(chosen: list[str], words: list[str]) -> tuple[str, list[str]]:
    """The one thing to do, and the words that belong to it."""
    first, others = words[:1], words[1:]
    if first and first[0] not in ("exec", "run"):
        raise Refusal(f"there is no command '{first[0]}'")
    things = [*chosen, *first]
    if not things:
        raise Refusal("--shell, exec, run or --list?")
    if len(things) > 1:
        raise Refusal(f"'{things[0]}' and '{things[1]}' at once")
    if things == ["exec"]:
        if not others:
            raise Refusal("exec needs a command, as one word")
        if len(others) > 1:
            raise Refusal(f"there is no command '{others[1]}'")
    return things[0], others


def _suites(names: list[str], everything: bool) -> tuple[Suite, ...]:
    if not names and not everything:
        raise Refusal("run which suites? --list names them, --all takes all")
    if names and everything:
        raise Refusal(f"--all and '{names[0]}' at once")
    known = all_suites()
    for name in names:
        if name not in known:
            raise Refusal(f"there is no suite '{name}': --list names them")
    return tuple(known.values()) if everything else tuple(known[name] for name in names)


def _prepare(options: Options) -> None:
    # The command's own output alone goes to standard output.
    steps = Steps(sys.stderr)
    install_missing(steps, "build", "run", "applications", "lab")
    programs = (*paths.MEASURING_PROGRAMS, *paths.LAB_PROGRAMS, *paths.HOST_PROGRAMS)
    build_backend(steps, "release", "vrdmad", *programs)
    build_qemu_device(steps)
    for series in dict.fromkeys((paths.HOST_KERNEL, options.kernel)):
        prepare_kernel(steps, series)
    prepare_rnics(steps, options.rnics)


def _list() -> int:
    suites = all_suites()
    width = max(map(len, suites))
    for suite in suites.values():
        print(f"{suite.name:{width}}  {suite.summary}")
    return 0


def _act(words: Sequence[str]) -> int:
    options = parse(words)
    if options.what == "list":
        return _list()
    _prepare(options)
    if options.what == "run":
        return (
            0
            if run_suites(options.suites, options.kernel, options.filter, options.json)
            else command.FAILED
        )
    place = choose_place(options.rnic, options.kernel)
    return place.shell() if options.what == "shell" else place.execute(options.command)


def main() -> int:
    return command.run("lab", lambda: _act(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
