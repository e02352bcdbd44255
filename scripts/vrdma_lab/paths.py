# SPDX-License-Identifier: Apache-2.0
"""Where the parts are: the source tree, its build folder, the cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

SOURCE = Path(__file__).resolve().parents[2]
KERNELS = ("6.1", "6.12")


def cache() -> Path:
    """The project's cache, as scripts/lib/apt.sh chooses it."""
    chosen = os.environ.get("VRDMA_CACHE")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "vrdma"


@dataclass(frozen=True)
class Kernel:
    """An unpacked guest kernel (scripts/lib/kernel.sh)."""

    series: str
    release: str
    vmlinux: Path
    tree: Path

    @staticmethod
    def find(series: str) -> Kernel:
        folder = cache() / "kernels" / series
        if not (folder / ".complete").exists():
            raise LabError(f"the guest kernel {series} is not in {folder}: scripts/demo and scripts/test fetch it")
        release = (folder / "release").read_text().strip()
        return Kernel(series, release, folder / "vmlinux", folder / "tree")


def build_folder() -> Path:
    """The CMake build whose programs are used; VRDMA_BUILD overrides."""
    return Path(os.environ.get("VRDMA_BUILD") or SOURCE / "build" / "release")


def daemon() -> Path:
    return Path(os.environ.get("VRDMAD") or build_folder() / "backend" / "daemon" / "vrdmad")


def measuring_programs() -> list[Path]:
    """The programs of tests/bench that measure an RDMA device, as far as they are built."""
    folder = build_folder() / "tests" / "bench"
    return [path for path in (folder / "rdma_latency", folder / "rdma_control") if path.exists()]


def qemu() -> str:
    return os.environ.get("VRDMA_QEMU") or "qemu-system-x86_64"


def qemu_device() -> Path:
    """The folder with libvrdma-qemu-preload.so and the modules for each QEMU."""
    return Path(os.environ.get("VRDMA_QEMU_DEVICE") or SOURCE / "build" / "qemu")


def driver(kernel: Kernel) -> Path:
    """The guest driver built for this kernel."""
    return SOURCE / "build" / "frontend" / kernel.release / "vrdma.ko"
