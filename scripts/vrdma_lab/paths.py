# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The places of the parts: the source tree, its build folder, the cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab.errors import LabError

SOURCE = Path(__file__).resolve().parents[2]
KERNELS = ("6.1", "6.12")
# The newest kernel of Debian, whatever its series is.
NEWEST_KERNEL = "newest"
# A kernel of Debian that only its headers are fetched of: the driver is built for it.
BUILT_KERNELS = ("6.12-trixie",)
# The kernel of this machine's packages that the driver's package is built for (setup/installed.py).
INSTALLED_KERNEL = "installed"
# The command of the package qemu-vrdma: QEMU, with the device in it.
QEMU_WITH_DEVICE = "qemu-system-x86_64-vrdma"
# The kernel of host VMs, the only one whose nested virtualization has been tried under TCG.
HOST_KERNEL = "6.1"
LAB_PROGRAMS = (
    "rdma_stream",
    "rdma_medley",
    "uverbs_edges",
    "verb_effects",
    "mr_edges",
    "huge_page_edges",
    "rdma_cm_edges",
    "xrc_sharing",
    "thread_domains",
)
# Programs that hosts alone run.
HOST_PROGRAMS = ("roce_against_rxe",)
MEASURING_PROGRAMS = ("rdma_latency", "rdma_control", "vm_exit")


def cache() -> Path:
    """The project's cache; scripts/lib/apt.sh chooses the same."""
    chosen = os.environ.get("VRDMA_CACHE")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "vrdma"


def kernel_folder(series: str) -> Path:
    """The folder of a guest kernel in the cache."""
    return cache() / "kernels" / series


def debian_image() -> Path:
    """The disk with Debian's systemd and rdma-core (setup/debian_image.py)."""
    return cache() / "debian" / "image"


def logs() -> Path:
    """The folder with the logs of what is built and prepared."""
    return SOURCE / "build" / "logs"


def python_environment() -> dict[str, str]:
    """The variables with which Python finds this package and the tests' base classes."""
    return {
        "PYTHONPATH": f"{SOURCE / 'scripts'}:{SOURCE / 'tests'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@dataclass(frozen=True)
class Kernel:
    """An unpacked guest kernel (setup/kernel.py)."""

    series: str
    release: str
    vmlinux: Path
    tree: Path

    @staticmethod
    def find(series: str) -> Kernel:
        """The kernel of a series, which has to be in the cache."""
        folder = kernel_folder(series)
        if not (folder / ".complete").exists():
            raise LabError(
                f"the guest kernel {series} is not in {folder}: "
                "scripts/demo and scripts/test fetch it"
            )
        release = (folder / "release").read_text().strip()
        return Kernel(series, release, folder / "vmlinux", folder / "tree")


def sbin_path() -> str:
    """A PATH with the programs that belong to root, which not every user's PATH has."""
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def build_folder() -> Path:
    """The CMake build whose programs are used; VRDMA_BUILD overrides."""
    return Path(os.environ.get("VRDMA_BUILD") or SOURCE / "build" / "release")


def daemon() -> Path:
    """The program vrdmad; VRDMAD overrides."""
    return Path(os.environ.get("VRDMAD") or build_folder() / "backend" / "daemon" / "vrdmad")


def next_daemon() -> Path:
    """A vrdmad of another version, to which guests go and from which they come."""
    return build_folder() / "tests" / "unit" / "daemon" / "vrdmad_next"


def vrdmactl() -> Path:
    """The program vrdmactl."""
    return build_folder() / "backend" / "vrdmactl" / "vrdmactl"


def exporter() -> Path:
    """The program vrdma-exporter."""
    return build_folder() / "backend" / "exporter" / "vrdma-exporter"


def prometheus(program: str) -> Path:
    """A program of Prometheus' package (setup/prometheus.py)."""
    return cache() / "prometheus" / program


def measuring_programs() -> list[Path]:
    """The MEASURING_PROGRAMS that are built; they run on hosts and in guests."""
    folder = build_folder() / "tests" / "bench"
    return [path for path in (folder / name for name in MEASURING_PROGRAMS) if path.exists()]


def lab_program(name: str) -> Path:
    """A program of tests/lab, which hosts and guests run: one of LAB_PROGRAMS."""
    return build_folder() / "tests" / "lab" / name


def lab_programs() -> list[Path]:
    """The LAB_PROGRAMS that are built."""
    return [path for path in map(lab_program, LAB_PROGRAMS) if path.exists()]


def qemu() -> str:
    """QEMU's program; VRDMA_QEMU overrides."""
    return os.environ.get("VRDMA_QEMU") or "qemu-system-x86_64"


def qemu_device() -> Path:
    """The folder with libvrdma-qemu-preload.so and the modules for each QEMU."""
    return Path(os.environ.get("VRDMA_QEMU_DEVICE") or SOURCE / "build" / "qemu")


def device_environment() -> dict[str, str]:
    """The variables with which qemu() has the device vrdma-pci."""
    if Path(qemu()).name == QEMU_WITH_DEVICE:
        return {}
    return {"LD_PRELOAD": str(qemu_device() / "libvrdma-qemu-preload.so")}


def connectx_model() -> Path:
    """The model of an adapter that host VMs can have (tests/connectx)."""
    return qemu_device() / "libconnectx-model.so"


def driver(kernel: Kernel) -> Path:
    """The guest driver built for this kernel."""
    folder = Path(os.environ.get("VRDMA_FRONTEND") or SOURCE / "build" / "frontend")
    return folder / kernel.release / "vrdma.ko"


def siw(release: str) -> Path:
    """The siw driver for a kernel that comes without it (setup/siw.py)."""
    return cache() / "siw" / release / "siw.ko"
