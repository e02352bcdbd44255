# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The guest driver vrdma.ko, built for a guest kernel."""

from __future__ import annotations

from vrdma_lab import paths
from vrdma_lab.setup.runner import Steps, processors

# scripts/check has sparse judge the same build with the same flags: with others, kbuild would
# compile everything again. Guests get the module without debug information.
_FLAGS = "KCFLAGS=-Werror -g0"


def build_driver(steps: Steps, kernel: paths.Kernel) -> None:
    """Builds vrdma.ko for a guest kernel, in a folder of that kernel's.

    The driver's Makefile links the sources there, since kbuild writes beside them.
    """
    with steps.step(
        f"Building vrdma.ko (guest kernel {kernel.series})", f"build-driver-{kernel.series}"
    ) as runner:
        folder = paths.kernel_folder(kernel.series)
        headers = (folder / "build").resolve()
        target = paths.SOURCE / "build" / "frontend" / kernel.release
        places = [f"KDIR={headers}", f"BUILD={target}"]
        listed = folder / "arguments"
        arguments = listed.read_text().split() if listed.exists() else []
        driver = paths.SOURCE / "frontend"
        flags = ["-j", processors(), _FLAGS]
        runner.run(["make", "-C", driver, *places, *arguments, *flags, "modules"])
