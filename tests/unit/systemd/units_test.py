# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The units of systemd, as systemd itself judges them."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from vrdma_lab import paths

UNITS = Path(os.environ["VRDMA_BUILD"]) / "backend" / "systemd"
# An instance of the unit for tenants stands for all of them.
INSTANCES = {
    "vrdmad.service": "vrdmad.service",
    "vrdmad@.service": "vrdmad@red.service",
    "vrdma-exporter.service": "vrdma-exporter.service",
}


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs systemd-analyze."""
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )


class Units(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.units = []
        for template, instance in INSTANCES.items():
            unit = Path(folder.name) / instance
            # The program is where the build has it, so that systemd finds it.
            text = (UNITS / template).read_text()
            unit.write_text(re.sub(r"(?<=ExecStart=)\S+", os.environ["VRDMAD"], text))
            self.units.append(unit)

    def test_the_exposure_is_at_most_2(self) -> None:
        for unit in self.units:
            with self.subTest(unit.name):
                judged = analyze("security", "--offline=true", "--threshold=20", str(unit))
                self.assertEqual(judged.returncode, 0, judged.stdout)
                self.assertRegex(judged.stdout, r"Overall exposure level for \S+: [01]\.\d OK")

    def test_systemd_knows_every_line(self) -> None:
        for unit in self.units:
            with self.subTest(unit.name):
                judged = analyze("verify", "--man=no", str(unit))
                about_it = [line for line in judged.stdout.splitlines() if unit.name in line]
                self.assertEqual(about_it, [])

    def test_the_control_socket_is_where_vrdmactl_looks(self) -> None:
        text = (UNITS / "vrdmad.service").read_text()
        found = re.search(r"(?m)^RuntimeDirectory=(.+)$", text)
        assert found is not None
        self.assertRegex(text, r"(?m)^RuntimeDirectoryMode=0755$")
        usage = subprocess.run(
            [os.environ["VRDMACTL"], "--help"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        # vrdmad's name for it in this folder is held by VrdmactlTest.
        self.assertIn(f"(/run/{found[1]}/control.sock)", usage)

    def test_the_units_and_polkits_groups_are_made_where_they_are_missing(self) -> None:
        made = re.findall(r"(?m)^g (\S+) ", (UNITS / "vrdma.conf").read_text())
        wanted = {
            group
            for unit in self.units
            for group in re.findall(r"(?m)^SupplementaryGroups=(.+)$", unit.read_text())
        }
        rules = (paths.SOURCE / "scripts" / "debian" / "conf" / "60-vrdma.rules").read_text()
        wanted |= set(re.findall(r'isInGroup\("(.+?)"\)', rules))
        self.assertEqual(wanted, set(made))

    def test_nothing_is_left_to_be_replaced(self) -> None:
        for unit in self.units:
            self.assertNotRegex(unit.read_text(), r"@[A-Z_]+@")


if __name__ == "__main__":
    unittest.main()
