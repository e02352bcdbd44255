# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The demo with what the packages install: demo.py SUITE [unittest's options]."""

from __future__ import annotations

from support_py.packages_test import PackagesTest, main
from vrdma_lab import paths


class Demo(PackagesTest):
    """One Debian that is a host, and has the driver for its guests as well."""

    def test_guests_run_rdma_on_the_installed_files(self) -> None:
        self.install("vrdma", "qemu-vrdma", "vrdma-dkms")
        # The demo itself, and nothing that is built.
        self.debian.put(paths.SOURCE / "scripts", folder="/demo")
        said = self.debian.read("/demo/scripts/demo", "--installed")
        self.assertNotIn("Building", said)
        self.assertRegex(said, r"\n(\d+) of \1 succeeded\.\n\Z")


if __name__ == "__main__":
    main()
