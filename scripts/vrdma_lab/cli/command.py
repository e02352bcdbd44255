# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The conventions of the commands in scripts/: options, refusals, statuses, signals."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from vrdma_lab import paths
from vrdma_lab.children import raise_on_signals
from vrdma_lab.errors import Interrupted, LabError

FAILED = 1
REFUSED = 2


class Refusal(Exception):
    """A mistake in the options; the text says which."""


class Parser(argparse.ArgumentParser):
    """Parses the options of one command, whose help is written by hand.

    A mistake is answered by a Refusal with one sentence.
    """

    def __init__(self, text: str) -> None:
        super().__init__(add_help=False, allow_abbrev=False, exit_on_error=False)
        self._text = text
        self.add_argument("-h", "--help", action="help")

    def format_help(self) -> str:
        """The text as it was given."""
        return self._text

    def error(self, message: str) -> NoReturn:
        """Refuses the options."""
        raise Refusal(message)

    def parse(self, words: Sequence[str], nothing_like: str = "option") -> argparse.Namespace:
        """The options.

        A Refusal says "there is no NOTHING_LIKE" of a word that is none of them.
        """
        try:
            found, unknown = self.parse_known_intermixed_args(words)
        except argparse.ArgumentError as error:
            # argparse's own sentences say "argument" before they say which.
            if error.message == "expected one argument":
                raise Refusal(f"{error.argument_name} needs a value") from None
            if error.message.startswith("not allowed with argument"):
                other = error.message.rpartition(" ")[2]
                raise Refusal(f"{error.argument_name} does not go with {other}") from None
            if error.message.startswith("ignored explicit argument"):
                raise Refusal(f"{error.argument_name} takes no value") from None
            raise Refusal(error.message) from None
        if unknown:
            raise Refusal(f"there is no {nothing_like} '{unknown[0]}'")
        return found


def kernel(text: str) -> str:
    """Checks the value of --kernel."""
    return one_of("guest kernel", paths.KERNELS)(text)


def one_of(what: str, names: Sequence[str]) -> Callable[[str], str]:
    """A function that checks that a value is one of some names."""

    def check(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"there is no {what} '{text}': {listed(names)}")
        return text

    return check


def listed(names: Sequence[str]) -> str:
    """The names as a sentence has them: a, b or c."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def output_file(text: str) -> Path:
    """The absolute path of a file that can be written."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write '{text}'")
    return path.resolve()


def run(name: str, act: Callable[[], int]) -> int:
    """Runs a command; its status.

    Standard error says what was refused, what failed, or that a signal came.
    """
    try:
        raise_on_signals()
        return act()
    except Refusal as refusal:
        print(f"{name}: {refusal}\nTry '{name} --help'.", file=sys.stderr)
        return REFUSED
    except LabError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except Interrupted as interrupted:
        print(f"{name}: interrupted, all is cleaned up", file=sys.stderr)
        return 128 + interrupted.signal_number
