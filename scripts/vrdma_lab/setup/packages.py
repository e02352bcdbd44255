# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The Debian packages that this machine needs, in groups, and their installation."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.setup.runner import Command, CommandFailed, Runner, Steps

GROUPS = {
    "build": (
        "cmake ninja-build ccache gcc g++ gcc-12 make pkg-config dpkg-dev python3 xz-utils zstd "
        "kmod libelf1 libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev "
        "prometheus-cpp-dev libexpected-dev libibverbs-dev librdmacm-dev libmnl-dev libseccomp-dev "
        "systemtap-sdt-dev libgtest-dev libgmock-dev libbenchmark-dev libglib2.0-dev libvirt-dev "
        "libpugixml-dev protobuf-compiler libprotobuf-dev zlib1g-dev"
    ),
    "run": (
        "qemu-system-x86 busybox-static ibverbs-utils ibverbs-providers rdmacm-utils perftest "
        "util-linux iproute2"
    ),
    # For guests on what the Debian packages of vrdma have installed.
    "installed": "gcc libc6-dev binutils kmod xz-utils zstd",
    "applications": "qperf ucx-utils libfabric-bin",
    "test": "strace systemd",
    "check": (
        "git python3 clang-format-14 clang-tidy-14 shellcheck flake8 mypy sparse perl cmake "
        "ninja-build xz-utils"
    ),
    "bench": "valgrind",
    "picture": "python3-matplotlib",
    "fuzz": "clang-14 libclang-rt-14-dev",
    "debian": "debootstrap e2fsprogs",
    "lab": "kmod",
    "package": "mmdebstrap e2fsprogs",
    "libvirt": "libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients",
}

_APT_GET = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "-q")
_LISTS = Path("/var/lib/apt/lists")


def of_groups(groups: Iterable[str]) -> list[str]:
    """The packages of some groups, each once."""
    return list(dict.fromkeys(package for group in groups for package in GROUPS[group].split()))


def missing(packages: Iterable[str]) -> list[str]:
    """The packages that are not installed."""
    wanted = list(packages)
    # dpkg-query fails if it does not know one of the packages, and lists the others all the same.
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *wanted],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    installed = {line.split()[1] for line in shown.splitlines() if line.startswith("installed ")}
    return [package for package in wanted if package not in installed]


def install_missing(steps: Steps, *groups: str) -> None:
    """Installs the packages of some groups that this machine does not have."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-query") is None:
        raise LabError("this needs Debian 12 (apt-get is not here)")
    needed = missing(of_groups(groups))
    if not needed:
        return
    if os.geteuid() != 0 and shutil.which("sudo") is None:
        raise LabError(f"become root, or install these packages: {' '.join(needed)}")
    with steps.step(f"Installing with apt: {' '.join(needed)}", "apt") as runner:
        _install(runner, needed)


def as_root(command: Command) -> list[str | Path]:
    """A command that root runs."""
    return [*command] if os.geteuid() == 0 else ["sudo", *command]


def _install(runner: Runner, packages: list[str]) -> None:
    apt_get = as_root(["env", "DEBIAN_FRONTEND=noninteractive", *_APT_GET])
    install = [*apt_get, "install", "-y", "--no-install-recommends", *packages]
    # The lists may be absent (a fresh machine) or older than the mirror.
    if any(_LISTS.glob("*Packages*")):
        try:
            runner.run(install)
            return
        except CommandFailed as error:
            runner.say(f"vrdma: once more with new package lists: {error}")
    runner.retry(lambda: runner.run([*apt_get, "update"]))
    runner.retry(lambda: runner.run(install))
