# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The upgrade of a host from the version before: upgrade.py SUITE [unittest's options].

The version before is built of the same files as an older version of the project.
"""

from __future__ import annotations

from support_py.packages_test import HOST_PACKAGES, OLDER, PackagesTest, main

CONFIGURATION = "/etc/vrdma/vrdmad.toml"


class Upgrade(PackagesTest):
    """A host that has the version before."""

    def prepare(self) -> None:
        self.before = self.files()
        self.install(*HOST_PACKAGES, version=OLDER)

    def test_programs_and_libraries_are_the_new_ones(self) -> None:
        older = self.debian.read("vrdmad", "--version")
        self.assertIn(OLDER, older)
        self.install(*HOST_PACKAGES)
        self.assertNotEqual(self.debian.read("vrdmad", "--version"), older)
        for name in HOST_PACKAGES:
            self.assertFalse(self.version_of(name).startswith(OLDER), name)

    def test_the_owners_configuration_outlives_it(self) -> None:
        self.debian.run("sed", "-i", "s/#\\[\\[vm/[[vm/; s/^#\\(name\\|socket\\|mac\\)/\\1/",
                        CONFIGURATION)
        mine = self.debian.read("cat", CONFIGURATION)
        self.install(*HOST_PACKAGES)
        self.assertEqual(self.debian.read("cat", CONFIGURATION), mine)
        said = self.debian.read("vrdmad", "--config", CONFIGURATION, "--check")
        self.assertIn("1 virtual machine(s)", said)

    def test_a_purge_after_it_leaves_nothing(self) -> None:
        self.install(*HOST_PACKAGES)
        self.remove("purge", *HOST_PACKAGES)
        self.assertEqual(self.files() - self.before, set())


if __name__ == "__main__":
    main()
