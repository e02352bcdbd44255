# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The CMake build and the QEMU device, built into build/."""

from __future__ import annotations

import os
import re
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.setup.runner import Command, Runner, Steps, processors

_QEMU_VERSION = re.compile(r"^QEMU emulator version (\d+\.\d+)", re.MULTILINE)


def build_backend(steps: Steps, preset: str, *targets: str) -> None:
    """Builds some targets of a CMake preset, or all of them."""
    what = "vrdmad and what is asked of it" if targets else "vrdmad"
    with steps.step(f"Building {what} ({preset})", f"build-{preset}") as runner:
        folder = paths.SOURCE / "build" / preset
        if not (folder / "build.ninja").exists():
            runner.run(_with_ccache("cmake", "--preset", preset), paths.SOURCE)
        command = ["cmake", "--build", str(folder), "-j", processors()]
        runner.run(
            _with_ccache(*command, *(("--target", *targets) if targets else ())), paths.SOURCE
        )


def _with_ccache(*command: str | Path) -> Command:
    """A command of CMake's or make's whose compiler answers from the cache what it knows.

    Clones of the project share the cache, wherever they are.  What the caller's environment says of
    ccache and of CMake counts more.
    """
    variables = {
        "CMAKE_C_COMPILER_LAUNCHER": "ccache",
        "CMAKE_CXX_COMPILER_LAUNCHER": "ccache",
        "CCACHE_DIR": str(paths.cache() / "ccache"),
        "CCACHE_BASEDIR": str(paths.SOURCE),
        "CCACHE_NOHASHDIR": "true",
        "CCACHE_MAXSIZE": "2G",
    }
    chosen = [f"{name}={value}" for name, value in variables.items() if name not in os.environ]
    return ["env", *chosen, *command]


def qemu_version(said: str) -> str:
    """Major and minor number in the output of QEMU's --version."""
    found = _QEMU_VERSION.search(said)
    if found is None:
        raise LabError(f"this QEMU does not say its version: {said.strip()}")
    return found.group(1)


def build_qemu_device(steps: Steps) -> None:
    """Builds the device for the QEMU that is installed."""
    version = qemu_version(Runner().read([paths.qemu(), "--version"]))
    _build_qemu_device(steps, f"QEMU {version}", version)


def build_all_qemu_devices(steps: Steps) -> None:
    """Builds the device for all versions of QEMU that are supported."""
    _build_qemu_device(steps, "all versions of QEMU")


def build_connectx_model(steps: Steps) -> None:
    """Builds the model of an adapter for the QEMU that is installed.

    build_qemu_device() has made QEMU's headers, and prepare_kernel() those of the hosts' kernel.
    """
    with steps.step("Building the model of a ConnectX", "build-connectx") as runner:
        tree = paths.Kernel.find(paths.HOST_KERNEL).tree
        (layouts,) = tree.glob("usr/src/linux-headers-*-common/include/linux/mlx5")
        program = paths.SOURCE / "tests" / "connectx" / "build.sh"
        runner.run(_with_ccache(program, paths.SOURCE / "build" / "qemu", layouts))


def _build_qemu_device(steps: Steps, what: str, *versions: str) -> None:
    with steps.step(f"Building the QEMU device ({what})", "build-qemu") as runner:
        program = paths.SOURCE / "qemu-device" / "build.sh"
        runner.run(_with_ccache(program, paths.SOURCE / "build" / "qemu", *versions))
