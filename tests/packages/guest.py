# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The driver's package, in a clean Debian: guest.py SUITE [unittest's options]."""

from __future__ import annotations

from support_py.packages_test import OLDER, PackagesTest, main


class Guest(PackagesTest):
    """The package in a virtual machine with Debian's kernel."""

    def check_built(self) -> None:
        """DKMS has built the module once, of this version, and the doctor is of this version."""
        version = self.version_of("vrdma-dkms").partition("~")[0].partition("+")[0]
        self.assertRegex(self.debian.read("dkms", "status"),
                         rf"^vrdma/{version}, \S+-amd64, x86_64: installed\n\Z")
        (module,) = self.modules()
        self.assertIn("virtio:d0000002A", self.debian.read("modinfo", "-F", "alias", module))
        self.assertEqual(self.debian.read("vrdma-doctor", "--version"),
                         f"vrdma-doctor {version}\n")

    def check_purged(self, before: set[str]) -> None:
        """A purge leaves nothing."""
        self.remove("purge", "vrdma-dkms")
        # depmod has written its lists of the kernel's own modules again.
        self.assertEqual({path for path in self.files() - before
                          if not path.startswith("/usr/lib/modules/")}, set())
        self.assertEqual(self.modules(), [])

    def test_dkms_builds_the_module_and_a_purge_takes_it_away(self) -> None:
        before = self.files()
        self.install("vrdma-dkms")
        self.check_built()
        self.check_purged(before)

    def test_an_upgrade_puts_one_module_in_place_of_the_other(self) -> None:
        before = self.files()
        self.install("vrdma-dkms", version=OLDER)
        self.check_built()
        self.install("vrdma-dkms")
        self.check_built()
        self.assertEqual([path for path in self.files() if f"vrdma-{OLDER}" in path], [])
        self.check_purged(before)


if __name__ == "__main__":
    main()
