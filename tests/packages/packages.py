# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The Debian packages, installed, upgraded, removed and purged in clean Debians.

    packages.py SUITE [unittest's options]

scripts/package has built them; this program builds them if they are not there.
"""

from __future__ import annotations

import re
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.packages.build import build_packages
from vrdma_lab.packages.clean_debian import CleanDebian, copy_of, make_base
from vrdma_lab.setup.packages import GROUPS
from vrdma_lab.setup.runner import Runner

SUITE = "bookworm"
HOST = ("python3", *GROUPS["run"].split())
GUEST = ("dkms", "linux-headers-amd64", "kmod")
# What dpkg itself, and the packages that came along, keep.
KEPT = re.compile(r"^/(var/(lib|cache|log)/|etc/ld\.so\.cache|dev/|proc/|sys/|run/|tmp/|root/|"
                  r"packages/)")


class PackagesTest(unittest.TestCase):
    runner = Runner()
    base_name = "host"
    base_packages: tuple[str, ...] = HOST
    base: Path
    folder: Path
    debian: CleanDebian

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = paths.SOURCE / "build" / "packages" / SUITE
        if not list(cls.folder.glob("*.deb")):
            build_packages(cls.runner, SUITE, cls.folder)
        cls.base = make_base(cls.runner, SUITE, cls.base_name, cls.base_packages)

    def setUp(self) -> None:
        self.debian = self.enterContext(copy_of(self.runner, self.base))

    def package(self, name: str) -> Path:
        (found,) = self.folder.glob(f"{name}_*.deb")
        return found

    def install(self, *packages: Path) -> None:
        self.debian.put(*packages, folder="/packages")
        self.debian.install([f"/packages/{path.name}" for path in packages])

    def remove(self, how: str, *packages: str) -> None:
        """Removes or purges packages, and what came with them."""
        self.debian.run("apt-get", "-q", "-y", "--auto-remove", how, *packages)

    def files(self) -> set[str]:
        """The files of the Debian, without those that the package system keeps."""
        listed = self.debian.read("find", "/", "-xdev", "-not", "-type", "d")
        return {line for line in listed.splitlines() if not KEPT.match(line)}


def make_kvm_group(debian: CleanDebian) -> None:
    """As systemd makes it on each host (sysusers.d)."""
    debian.run("groupadd", "--system", "kvm")


class Host(PackagesTest):
    """The packages of a host."""

    def setUp(self) -> None:
        super().setUp()
        make_kvm_group(self.debian)
        self.before = self.files()
        self.install(*map(self.package, ("vrdma", "qemu-vrdma", "vrdma-doc")))

    def test_the_daemon_takes_the_configuration_that_comes_with_it(self) -> None:
        machine = "socket=/run/vrdma/a.sock,name=a"
        said = self.debian.read("vrdmad", "--config", "/etc/vrdma/vrdmad.toml", "--vm", machine,
                                "--check")
        self.assertIn("the configuration is valid: 1 virtual machine(s), RNIC 'embedded'", said)

    def test_qemu_has_the_device(self) -> None:
        said = self.debian.read("qemu-system-x86_64-vrdma", "-device", "vrdma-pci,help")
        self.assertIn("shm-size=<size>", said)

    def test_the_units_name_what_is_there(self) -> None:
        (unit,) = self.files() & {"/lib/systemd/system/vrdmad.service",
                                  "/usr/lib/systemd/system/vrdmad.service"}
        text = self.debian.read("cat", unit)
        for path in re.findall(r"^(?:ExecStart=|Documentation=file:)(\S+)", text, re.MULTILINE):
            self.debian.run("test", "-e", path)

    def test_a_purge_leaves_nothing(self) -> None:
        self.remove("purge", "vrdma", "qemu-vrdma", "vrdma-doc")
        self.assertEqual(self.files() - self.before, set())

    def test_a_removal_leaves_the_configuration(self) -> None:
        self.remove("remove", "vrdma", "qemu-vrdma", "vrdma-doc")
        self.assertEqual(self.files() - self.before, {
            "/etc/vrdma/vrdmad.toml", "/etc/apparmor.d/abstractions/libvirt-qemu.d/vrdma"})

    def test_apparmor_parses_the_rules_for_libvirts_machines(self) -> None:
        self.debian.install(["apparmor"])
        profile = self.debian.root / "tmp" / "profile"
        profile.write_text("#include <tunables/global>\n"
                           "profile machine { #include <abstractions/libvirt-qemu.d/vrdma>\n}\n")
        self.debian.run("apparmor_parser", "--skip-kernel-load", "--skip-cache",
                        "--base", "/etc/apparmor.d", "/tmp/profile")


class Upgrade(PackagesTest):
    """From the version before, which is this one by another number."""

    def older(self, package: Path) -> Path:
        """The package with a lower version."""
        tree, made = "/older/tree", f"/older/{package.name}"
        self.debian.put(package, folder="/packages")
        self.debian.run("mkdir", "-p", "/older")
        self.debian.run("dpkg-deb", "-R", f"/packages/{package.name}", tree)
        self.debian.run("sed", "-i", "s/^Version: .*/Version: 0.0.9/", f"{tree}/DEBIAN/control")
        self.debian.run("dpkg-deb", "-b", tree, made)
        self.debian.run("rm", "-r", tree)
        return Path(made)

    def test_the_owners_configuration_outlives_it(self) -> None:
        package = self.package("vrdma")
        make_kvm_group(self.debian)
        self.debian.install([str(self.older(package))])
        self.debian.run("sed", "-i", "s/#\\[\\[vm/[[vm/; s/^#\\(name\\|socket\\|mac\\)/\\1/",
                        "/etc/vrdma/vrdmad.toml")
        mine = self.debian.read("cat", "/etc/vrdma/vrdmad.toml")
        self.install(package)
        self.assertEqual(self.debian.read("cat", "/etc/vrdma/vrdmad.toml"), mine)
        said = self.debian.read("vrdmad", "--config", "/etc/vrdma/vrdmad.toml", "--check")
        self.assertIn("1 virtual machine(s)", said)


class Guest(PackagesTest):
    """The driver's package in a virtual machine."""

    base_name = "guest"
    base_packages = GUEST

    def test_dkms_builds_the_module_and_a_purge_takes_it_away(self) -> None:
        before = self.files()
        self.install(self.package("vrdma-dkms"))
        status = self.debian.read("dkms", "status")
        self.assertRegex(status, r"^vrdma/\S+, \S+-amd64, x86_64: installed")
        (module,) = self.modules()
        self.assertIn("virtio:d0000002A", self.debian.read("modinfo", "-F", "alias", module))
        self.remove("purge", "vrdma-dkms")
        # depmod has written its lists of the kernel's own modules again.
        self.assertEqual({path for path in self.files() - before
                          if not path.startswith("/usr/lib/modules/")}, set())
        self.assertEqual(list(self.modules()), [])

    def modules(self) -> Iterator[str]:
        listed = self.debian.read("find", "/lib/modules/", "/usr/lib/modules/", "-name",
                                  "vrdma.ko*")
        return iter(dict.fromkeys(line.removeprefix("/usr") for line in listed.splitlines()))


def main() -> None:
    global SUITE
    SUITE = sys.argv.pop(1)
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
