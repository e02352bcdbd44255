# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The kernel's software iWARP RNIC (siw), which Debian does not build.

It is built from the source package of the very kernel that the lab's host runs.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.runner import Runner, Steps, processors

_SOURCE_PACKAGE = "linux-source-6.1"
_BANNER = re.compile(rb"Linux version \S+ \([ -~]* Debian (\S+) \(")


def prepare_siw(steps: Steps) -> None:
    """Builds siw.ko for the kernel of the lab's hosts, unless it is there."""
    with steps.step("Software iWARP (siw) for the lab's kernel", "siw") as runner:
        kernel = paths.Kernel.find(paths.HOST_KERNEL)
        folder = paths.siw(kernel.release).parent
        cache.make_once(folder, lambda empty: _build(runner, kernel, empty))


def package_version(vmlinux: bytes) -> str:
    """The version of the package that a kernel is from, as it says itself."""
    found = _BANNER.search(vmlinux)
    return found.group(1).decode() if found is not None else ""


def _build(runner: Runner, kernel: paths.Kernel, folder: Path) -> None:
    apt = Apt(runner)
    wanted = package_version(kernel.vmlinux.read_bytes())
    version = apt.version("bookworm", _SOURCE_PACKAGE)
    if wanted != version:
        raise LabError(
            f"the lab's kernel is {wanted}, Debian's source is {version}: "
            f"remove {paths.kernel_folder(kernel.series)} and run this again"
        )
    (package,) = apt.download("bookworm", folder / "debs", (_SOURCE_PACKAGE,))
    runner.pipe(
        ["dpkg-deb", "--fsys-tarfile", package],
        ["tar", "-xO", "--wildcards", "*.tar.xz"],
        [
            "tar",
            "-xJ",
            "-C",
            folder,
            "--strip-components=5",
            "--wildcards",
            "*/drivers/infiniband/sw/siw/*",
        ],
    )
    shutil.rmtree(folder / "debs")
    build = (paths.kernel_folder(kernel.series) / "build").resolve()
    runner.run(
        ["make", "-C", build, f"M={folder}", "CONFIG_RDMA_SIW=m", "-j", processors(), "modules"]
    )
    built_for = runner.read(["modinfo", "-F", "vermagic", folder / "siw.ko"]).split()[0]
    if built_for != kernel.release:
        raise LabError(f"siw.ko was built for {built_for}, not for {kernel.release}")
