# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What the Debian packages have installed on this machine, for guests to run it.

The guests' kernel is the newest one here that DKMS has built the driver for.  Its folder in the
cache is like those of setup/kernel.py, and is made anew each time: packages come and go.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.image.kernel_modules import module_bytes
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import newest
from vrdma_lab.setup.kernel import decompressed
from vrdma_lab.setup.runner import Steps

_DEVICE = Path("/usr/lib/x86_64-linux-gnu/qemu")
# The package of each program.
_PACKAGES = {"vrdmad": "vrdma", paths.QEMU_WITH_DEVICE: "qemu-vrdma"}


def prepare_installed(steps: Steps) -> dict[str, str]:
    """Makes the kernel paths.INSTALLED_KERNEL; the variables by which paths finds the rest."""
    with steps.step("What the packages have installed", "installed"):
        programs = {name: find_program(name) for name in _PACKAGES}
        release, module = find_driver(Path("/"))
        folder = paths.kernel_folder(paths.INSTALLED_KERNEL)
        with cache.locked(folder.with_name(f"{folder.name}.lock")):
            shutil.rmtree(folder, ignore_errors=True)
            driver = folder / "driver" / release / "vrdma.ko"
            driver.parent.mkdir(parents=True)
            driver.write_bytes(module_bytes(module)[1])
            image = Path("/boot") / f"vmlinuz-{release}"
            (folder / "vmlinux").write_bytes(decompressed(image.read_bytes()))
            (folder / "tree").symlink_to("/")
            (folder / "release").write_text(f"{release}\n")
            cache.mark_complete(folder)
    return {
        "VRDMAD": str(programs["vrdmad"]),
        "VRDMA_QEMU": str(programs[paths.QEMU_WITH_DEVICE]),
        "VRDMA_QEMU_DEVICE": str(_DEVICE),
        "VRDMA_FRONTEND": str(folder / "driver"),
    }


def find_program(name: str) -> Path:
    """A program of the packages."""
    found = shutil.which(name, path=paths.sbin_path())
    if found is None:
        raise LabError(f"{name} is not installed: install the package {_PACKAGES[name]}")
    return Path(found)


def find_driver(root: Path) -> tuple[str, Path]:
    """The release of the newest kernel below `root` that has the driver, and the driver."""
    found = {path.parents[2].name: path
             for path in (root / "lib" / "modules").glob("*/updates/dkms/vrdma.ko*")}
    kernels = [release for release in found if (root / "boot" / f"vmlinuz-{release}").exists()]
    if not kernels:
        raise LabError(
            "DKMS has built the driver for no kernel in /boot: install linux-image-amd64 and "
            "linux-headers-amd64, then vrdma-dkms"
        )
    release = newest(kernels)
    return release, found[release]
