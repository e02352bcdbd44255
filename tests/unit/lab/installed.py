# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What the packages have installed, as the demo finds it."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.setup.installed import find_driver, find_program


class Installed(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def add(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
        return path

    def test_the_newest_kernel_with_a_driver_is_taken(self) -> None:
        drivers = [self.add(f"lib/modules/{release}/updates/dkms/vrdma.ko.xz")
                   for release in ("6.9.7-amd64", "6.12.3-amd64")]
        for release in ("6.9.7-amd64", "6.12.3-amd64", "7.0.1-amd64"):
            self.add(f"boot/vmlinuz-{release}")
        self.assertEqual(find_driver(self.root), ("6.12.3-amd64", drivers[1]))

    def test_a_kernel_of_which_only_the_headers_are_here_runs_no_guest(self) -> None:
        self.add("lib/modules/6.12.3-amd64/updates/dkms/vrdma.ko")
        with self.assertRaisesRegex(LabError, "^DKMS has built the driver for no kernel in /boot"):
            find_driver(self.root)

    def test_a_program_is_found_where_path_has_it(self) -> None:
        program = self.add("bin/vrdmad")
        with mock.patch.dict(os.environ, {"PATH": str(program.parent)}):
            self.assertEqual(find_program("vrdmad"), program)

    def test_the_package_of_a_missing_program_is_named(self) -> None:
        with mock.patch.object(paths, "sbin_path", lambda: str(self.root)):
            for name, package in (("vrdmad", "vrdma"), (paths.QEMU_WITH_DEVICE, "qemu-vrdma")):
                said = f"^{name} is not installed: install the package {package}$"
                with self.assertRaisesRegex(LabError, said):
                    find_program(name)


class Device(unittest.TestCase):
    def test_the_packages_qemu_has_the_device_without_a_preload(self) -> None:
        qemu = f"/usr/bin/{paths.QEMU_WITH_DEVICE}"
        with mock.patch.dict(os.environ, {"VRDMA_QEMU": qemu}):
            self.assertEqual(paths.device_environment(), {})

    def test_any_other_qemu_gets_it_by_a_preload(self) -> None:
        with mock.patch.dict(os.environ, {"VRDMA_QEMU": "/opt/qemu", "VRDMA_QEMU_DEVICE": "/opt"}):
            self.assertEqual(paths.device_environment(),
                             {"LD_PRELOAD": "/opt/libvrdma-qemu-preload.so"})


if __name__ == "__main__":
    unittest.main()
