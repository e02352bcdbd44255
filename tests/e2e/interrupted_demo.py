# SPDX-License-Identifier: Apache-2.0
"""scripts/demo leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from support import KERNEL, PATIENCE, main
from vrdma_lab import paths

DEMO = paths.SOURCE / "scripts" / "demo"


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


class Demo(unittest.TestCase):
    def setUp(self) -> None:
        # All that demo makes is below this folder, and all its processes have it in their environment.
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="t")))

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(DEMO), "--kernel", KERNEL, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )

    def wait_for_line(self, demo: subprocess.Popen[str], start: str) -> None:
        assert demo.stdout is not None
        seen = []
        for line in demo.stdout:
            seen.append(line)
            if line.startswith(start):
                return
        self.fail(f"no line starts with {start!r} in:\n{''.join(seen)}")

    def assert_nothing_is_left(self) -> None:
        # What a killed process leaves goes as soon as the kernel has told the others.
        deadline = time.monotonic() + 20
        while True:
            files = [str(path) for path in self.folder.rglob("*")]
            processes = processes_with(str(self.folder).encode())
            if not files and not processes:
                return
            self.assertLess(time.monotonic(), deadline, f"left behind: {files} {processes}")
            time.sleep(0.1)

    def end_with(self, number: signal.Signals, at: str) -> int:
        demo = self.start()
        try:
            self.wait_for_line(demo, at)
            demo.send_signal(number)
            demo.communicate(timeout=60)
        finally:
            demo.kill()
            demo.wait()
        self.assert_nothing_is_left()
        return demo.returncode

    def test_interrupted_while_the_guests_boot(self) -> None:
        self.assertEqual(self.end_with(signal.SIGINT, "Booting"), 130)

    def test_interrupted_in_mid_transfer(self) -> None:
        self.assertEqual(self.end_with(signal.SIGINT, "[ 2/"), 130)

    def test_terminated_in_mid_transfer(self) -> None:
        self.assertEqual(self.end_with(signal.SIGTERM, "[ 2/"), 143)

    def test_killed_in_mid_transfer(self) -> None:
        self.assertEqual(self.end_with(signal.SIGKILL, "[ 2/"), -signal.SIGKILL)

    def test_run_to_its_end(self) -> None:
        report = self.folder.with_suffix(".json")
        self.addCleanup(report.unlink, missing_ok=True)
        demo = self.start("--json", str(report))
        output, _ = demo.communicate(timeout=4 * PATIENCE)
        self.assertEqual(demo.returncode, 0, output)
        self.assert_nothing_is_left()
        rows = json.loads(report.read_text())
        self.assertGreater(len(rows), 20)
        for row in rows:
            self.assertEqual(set(row), {"test", "from", "to", "bytes", "latency_us", "mbit_per_s", "ok"})
            self.assertIs(row["ok"], True, row)
            self.assertTrue(row["latency_us"] or row["mbit_per_s"], row)

    def test_mistakes_in_the_options_are_refused(self) -> None:
        for options in (["--kernel", "5.10"], ["--guests", "1"], ["--guests", "9"], ["--json", "/nowhere/x"], ["--bogus"], ["--json"]):
            with self.subTest(options=options):
                result = subprocess.run([str(DEMO), *options], capture_output=True, text=True, timeout=30)
                self.assertEqual(result.returncode, 2)
                self.assertIn("demo: ", result.stderr)


if __name__ == "__main__":
    main()
