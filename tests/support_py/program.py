# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Base class of the tests of the commands in scripts/.

A command is started, ended in some way, and leaves nothing behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from vrdma_lab.machine.progress import Patience, communicate, run_to_end


def processes_with(text: bytes) -> list[str]:
    """The processes that have the text in their environment or command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if text in command or text in (folder / "environ").read_bytes():
                found.append(f"{folder.name} {command!r}")
        except OSError:
            pass
    return found


class ProgramTest(unittest.TestCase):
    """Tests of one program."""

    program: Path

    def setUp(self) -> None:
        # Everything that the program makes is below this folder, and all its processes have the
        # folder in their environment.
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="t")))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )

    def wait_for_line(self, process: subprocess.Popen[str], start: str) -> None:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line.startswith(start):
                return
        self.fail(f"no line starts with {start!r} in:\n{''.join(seen)}")

    def assert_nothing_is_left(self) -> None:
        # The traces of a killed process go as soon as the kernel has told the other processes.
        def left() -> list[str]:
            files = [str(path) for path in self.folder.rglob("*")]
            return files + processes_with(str(self.folder).encode())

        patience = Patience(20)
        while left():
            self.assertFalse(patience.over, f"left behind: {left()}")
            time.sleep(0.1)

    def end_with(self, number: signal.Signals, at: str, *arguments: str) -> int:
        """The status of the program that gets a signal once a line with this beginning has come."""
        process = self.start(*arguments)
        try:
            self.wait_for_line(process, at)
            process.send_signal(number)
            communicate(process)
        finally:
            process.kill()
            process.wait()
        self.assert_nothing_is_left()
        return process.returncode

    def assert_refused(self, *arguments: str) -> None:
        """A mistake in the arguments gets a sentence and the status 2."""
        with self.subTest(arguments=arguments):
            result = run_to_end([self.program, *arguments], 30)
            self.assertEqual(result.returncode, 2)
            self.assertIn(f"{self.program.name}: ", result.stderr)
