# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The guest driver vrdma.ko, built for a guest kernel."""

from __future__ import annotations

from vrdma_lab import paths
from vrdma_lab.setup.runner import Steps, processors


def build_driver(steps: Steps, kernel: paths.Kernel) -> None:
    """Builds vrdma.ko for a guest kernel, in a folder of that kernel's.

    The driver's Makefile links the sources there, since kbuild writes beside them.
    """
    with steps.step(
        f"Building vrdma.ko (guest kernel {kernel.series})", f"build-driver-{kernel.series}"
    ) as runner:
        headers = (paths.kernel_folder(kernel.series) / "build").resolve()
        target = paths.SOURCE / "build" / "frontend" / kernel.release
        places = [f"KDIR={headers}", f"BUILD={target}"]
        driver = paths.SOURCE / "frontend"
        runner.run(
            ["make", "-C", driver, *places, "-j", processors(), "KCFLAGS=-Werror", "modules"]
        )
