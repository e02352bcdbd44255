# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What the tests of the Debian packages share: clean Debians that they are installed in.

Programs of these tests take a suite and then unittest's options: PROGRAM SUITE [OPTION...].  They
try the packages that scripts/package has put into build/packages, and build them if there are none.
"""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.packages.build import build_packages
from vrdma_lab.packages.clean_debian import SUITES, CleanDebian, copy_of, make_base
from vrdma_lab.setup import cache
from vrdma_lab.setup.packages import of_groups
from vrdma_lab.setup.runner import Runner
from vrdma_lab.test_form import is_long

HOST_PACKAGES = ("vrdma", "qemu-vrdma", "vrdma-doc")
# What a machine has before the packages come: of a host, of a guest, and for the demo.
_HOST = ("python3", "systemd", *of_groups(["run"]))
_GUEST = ("dkms", "linux-headers-amd64", "kmod")
_DEMO = ("linux-image-amd64", *of_groups(["installed"]))
_MACHINE = tuple(dict.fromkeys((*_HOST, *_GUEST, *_DEMO)))
# The version before, which the packages are upgraded from.
OLDER = "0.0.9"
# Which lists and logs the package system itself keeps, and what is no file of a disk.
_KEPT = re.compile(r"^/(var/lib/(apt|dpkg)|var/cache|var/log|dev|proc|sys|run|tmp|root|packages)/|"
                   r"^/(packages|etc/ld\.so\.cache)$")


class SuiteTest(unittest.TestCase):
    """Tests of the packages of one Debian."""

    runner = Runner()
    suite = SUITES[0]

    @classmethod
    def packages(cls, *names: str, version: str | None = None) -> list[Path]:
        """The files of some packages, of this version of the project or of another one."""
        name = cls.suite if version is None else f"{cls.suite}-{version}"
        folder = paths.SOURCE / "build" / "packages" / name
        with cache.locked(folder.with_name(f"{name}.lock")):
            # The long form has them as scripts/package builds them.
            if not list(folder.glob("*-dbgsym_*.deb" if is_long() else "*.deb")):
                build_packages(cls.runner, cls.suite, folder, version, tried=not is_long())
        return [found for name in names for found in folder.glob(f"{name}_*.deb")]


class PackagesTest(SuiteTest):
    """Tests in clean Debians, which have a kernel, QEMU, systemd and DKMS.

    Each test has one of its own, unless the tests of a class change nothing in it (`shared`).
    """

    shared = False

    base: Path
    debian: CleanDebian

    @classmethod
    def setUpClass(cls) -> None:
        cls.base = make_base(cls.runner, cls.suite, "machine", _MACHINE)

    def setUp(self) -> None:
        copy = copy_of(self.runner, self.base)
        if not self.shared:
            self.debian = self.enterContext(copy)
            self.prepare()
        elif "debian" not in vars(type(self)):
            type(self).debian = self.enterClassContext(copy)
            self.prepare()

    def prepare(self) -> None:
        """Brings a new Debian into the state in which the tests begin."""

    def install(self, *names: str, version: str | None = None) -> None:
        """Installs packages, with what they depend on."""
        files = self.packages(*names, version=version)
        self.debian.put(*files, folder="/packages")
        self.debian.install([f"/packages/{path.name}" for path in files])

    def remove(self, how: str, *names: str) -> None:
        """Removes or purges packages, and what came with them."""
        self.debian.run("apt-get", "-q", "-y", "--auto-remove", how, *names)

    def version_of(self, name: str) -> str:
        """The version of a package that is installed."""
        return self.debian.read("dpkg-query", "-W", "-f", "${Version}", name)

    def files(self) -> set[str]:
        """The files and folders of the Debian, without those that the package system keeps."""
        listed = self.debian.read("find", "/", "-xdev").splitlines()
        return {line for line in listed if not _KEPT.match(line)}

    def modules(self) -> list[str]:
        """The driver's modules."""
        return self.debian.read("find", "/usr/lib/modules/", "-name", "vrdma.ko*").splitlines()


def main(failfast: bool = False) -> None:
    """Runs the tests of the program for the suite that its first word is.

    `failfast`: the first failure is the last test, because the others stand on it.
    """
    if len(sys.argv) < 2 or sys.argv[1] not in SUITES:
        sys.exit(f"usage: {sys.argv[0]} {'|'.join(SUITES)} [OPTION...]")
    SuiteTest.suite = sys.argv.pop(1)
    unittest.main(module="__main__", verbosity=2, failfast=failfast)
