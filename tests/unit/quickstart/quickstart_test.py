# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The commands of docs/quickstart.md, with the programs of this build.

What installs packages, starts services and runs in virtual machines is not run here:
tests/packages/quickstart.py runs the whole page.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from support_py.quickstart import IN_BOTH, ON_THE_HOST, PAGE, RDMA, blocks
from vrdma_lab import paths

PACKAGED = paths.SOURCE / "scripts" / "debian" / "conf" / "vrdmad.toml"
CONFIGURATION = "/etc/vrdma/vrdmad.toml"
RULES = "/etc/apparmor.d/local/abstractions"
# What `virsh domiflist --inactive` prints.
INTERFACES = """ Interface   Type      Source    Model    MAC
-------------------------------------------------------------
 -           network   default   virtio   52:54:00:12:34:56

"""


def block_with(text: str) -> str:
    """The only block with a text."""
    (found,) = (block.commands for block in blocks() if text in block.commands)
    return found


class Quickstart(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.has_program("virsh", f"#!/bin/sh\ncat <<'END'\n{INTERFACES}END\n")
        self.has_program("vrdmad", f'#!/bin/sh\nexec {paths.daemon()} "$@"\n')

    def has_program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def run_block(self, block: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-euc", block], env=environment, capture_output=True,
                              text=True)

    def test_each_block_is_shell(self) -> None:
        self.assertGreater(len(blocks()), 5)
        for block in blocks():
            with self.subTest(block.commands):
                done = subprocess.run(["sh", "-n", "-c", block.commands], capture_output=True,
                                      text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_block_has_a_machine(self) -> None:
        self.assertEqual({block.section for block in blocks()}, {ON_THE_HOST, IN_BOTH, RDMA})

    def test_only_apparmors_block_is_for_one_debian(self) -> None:
        for debian in ("12", "13"):
            left_out = [block for block in blocks() if not block.is_for(debian)]
            self.assertEqual(["apparmor.d" in block.commands for block in left_out],
                             [] if debian == "12" else [True])

    def test_the_daemon_takes_the_configuration(self) -> None:
        mine = self.folder / "vrdmad.toml"
        # The package makes the group.
        mine.write_text(PACKAGED.read_text().replace('"kvm"', f'"{os.getgid()}"'))
        done = self.run_block(block_with("[[vm]]").replace(CONFIGURATION, str(mine)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the configuration is valid: 2 virtual machine(s), RNIC 'embedded'",
                      done.stdout)
        self.assertEqual(mine.read_text().count('mac = "52:54:00:12:34:56"'), 2 + 1)

    def test_apparmors_line_is_written_once(self) -> None:
        block = block_with("apparmor.d").replace(RULES, str(self.folder))
        for _ in range(2):
            done = self.run_block(block)
            self.assertEqual(done.returncode, 0, done.stderr)
        written = (self.folder / "libvirt-qemu").read_text()
        self.assertEqual(written, "include <abstractions/libvirt-qemu.d/vrdma>\n")

    def test_vrdmactl_has_the_commands(self) -> None:
        program = os.environ.get("VRDMACTL") or str(paths.vrdmactl())
        commands = set(re.findall(r"\bvrdmactl ([a-z-]+)", PAGE.read_text()))
        self.assertLessEqual({"list", "libvirt-attach", "doctor"}, commands)
        for command in commands:
            done = subprocess.run([program, command, "--help"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")


if __name__ == "__main__":
    unittest.main()
