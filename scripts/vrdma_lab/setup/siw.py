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
from vrdma_lab.setup.linux_source import SIW, linux_source
from vrdma_lab.setup.runner import Runner, Steps, processors

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
    source = linux_source(runner)
    wanted = package_version(kernel.vmlinux.read_bytes())
    if wanted != source.name:
        raise LabError(
            f"the lab's kernel is {wanted}, Debian's source is {source.name}: "
            f"remove {paths.kernel_folder(kernel.series)} and run this again"
        )
    shutil.copytree(source / SIW, folder, dirs_exist_ok=True)
    build = (paths.kernel_folder(kernel.series) / "build").resolve()
    runner.run(
        ["make", "-C", build, f"M={folder}", "CONFIG_RDMA_SIW=m", "-j", processors(), "modules"]
    )
    built_for = runner.read(["modinfo", "-F", "vermagic", folder / "siw.ko"]).split()[0]
    if built_for != kernel.release:
        raise LabError(f"siw.ko was built for {built_for}, not for {kernel.release}")
