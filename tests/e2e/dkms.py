# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""DKMS builds the driver for a kernel that it knows, and leaves others out without an error.

No guest is started.  Debian's packages of kernels and headers run `dkms autoinstall`, and fail with
it.
"""

from __future__ import annotations

import subprocess
import tempfile
import unittest
from pathlib import Path

from support_py.e2e import KERNEL, main
from vrdma_lab import paths
from vrdma_lab.paths import sbin_path
from vrdma_lab.setup import dkms

VERSION = "vrdma/0.1.0"
UNKNOWN = "7.99.0-1-amd64"


class DkmsTest(unittest.TestCase):
    """Trees of DKMS, of sources and of modules that are thrown away."""

    suite = "bookworm"

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dkms")))
        for name in ("tree", "modules"):
            (self.folder / name).mkdir()
        subprocess.run(
            ["make", "-s", "-C", paths.SOURCE / "frontend", "dkms-tree", f"DESTDIR={self.folder}"],
            check=True,
        )
        self.must("add", VERSION)

    def dkms(self, *words: str) -> tuple[int, str]:
        """Status and output of a dkms command."""
        places = {"dkmstree": "tree", "sourcetree": "usr/src", "installtree": "modules"}
        command = ["bash", str(dkms.program(self.suite)), *words]
        for option, place in places.items():
            command += [f"--{option}", str(self.folder / place)]
        environment = {"PATH": sbin_path(), "HOME": str(self.folder), "LC_ALL": "C"}
        ended = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return ended.returncode, ended.stdout

    def must(self, *words: str) -> str:
        status, output = self.dkms(*words)
        self.assertEqual(status, 0, output)
        return output

    def kernel(self, release: str, config: str) -> None:
        """Makes headers of a kernel, which have nothing but a configuration."""
        build = self.folder / "modules" / release / "build"
        (build / "include").mkdir(parents=True)
        (build / ".config").write_text(config)

    def built(self) -> list[str]:
        return [path.name for path in (self.folder / "tree").rglob("vrdma.ko*")]


class LeftOut(DkmsTest):
    """Debian 12's DKMS 3.0."""

    def test_a_kernel_that_is_newer_than_known_is_no_error(self) -> None:
        self.kernel(UNKNOWN, "CONFIG_INFINIBAND_USER_ACCESS=m\nCONFIG_VIRTIO=m\n")
        output = self.must("autoinstall", "-k", UNKNOWN)
        self.assertIn(f"vrdma 0.1.0 does not know Linux {UNKNOWN}: install a newer one", output)
        self.assertEqual(self.built(), [])

    def test_asked_to_build_for_it_dkms_says_why_not(self) -> None:
        self.kernel(UNKNOWN, "CONFIG_INFINIBAND_USER_ACCESS=m\nCONFIG_VIRTIO=m\n")
        status, output = self.dkms("build", VERSION, "-k", f"{UNKNOWN}/x86_64")
        self.assertEqual(status, 77, output)
        self.assertIn("BUILD_EXCLUSIVE", output)

    def test_a_kernel_without_rdma_is_no_error(self) -> None:
        self.kernel("6.1.0-1-cloud-amd64", "CONFIG_VIRTIO=m\n")
        self.must("autoinstall", "-k", "6.1.0-1-cloud-amd64")
        self.assertEqual(self.built(), [])


class LeftOutByDebian13(LeftOut):
    """DKMS 3.2."""

    suite = "trixie"


class Built(DkmsTest):
    """A kernel of the guests."""

    def test_a_known_kernel_is_served_and_a_newer_one_is_no_error_then(self) -> None:
        release = paths.Kernel.find(KERNEL).release
        build = (paths.kernel_folder(KERNEL) / "build").resolve()
        (self.folder / "modules" / release).mkdir()
        (self.folder / "modules" / release / "build").symlink_to(build)
        self.must("build", VERSION, "-k", f"{release}/x86_64", "--kernelsourcedir", str(build))
        self.assertIn(f"{VERSION}, {release}, x86_64: built", self.must("status"))
        self.assertEqual(len(self.built()), 1)
        self.kernel(UNKNOWN, "CONFIG_INFINIBAND_USER_ACCESS=m\nCONFIG_VIRTIO=m\n")
        output = self.must("autoinstall", "-k", UNKNOWN)
        self.assertIn("install a newer one", output)
        self.assertEqual(len(self.built()), 1)


if __name__ == "__main__":
    main()
