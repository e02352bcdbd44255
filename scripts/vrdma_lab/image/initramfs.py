# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The initramfs of guests.

It has this machine's own busybox, RDMA tools and libraries, the modules of one kernel, and the
agent.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.kernel_modules import module_bytes, modules
from vrdma_lab.machine.agent import AGENT_PORT, compile_agent
from vrdma_lab.paths import Kernel, lab_programs, measuring_programs

# In the order in which init loads them; their dependencies come before them.
BASE_MODULES = ("virtio_pci", "virtio_console", "virtio_net")
RDMA_MODULES = ("ib_uverbs", "rdma_cm")
# Modules that init loads after vrdma, as udev does. rdma_ucm does not load if vrdma is in its
# place.
LATE_MODULES = ("rdma_ucm",)

TOOLS = (
    ["ibv_devices", "ibv_devinfo", "ibv_asyncwatch", "rdma"]
    + ["rping", "ucmatose", "udaddy", "mckey", "udpong", "cmtime", "rstream", "riostream", "rcopy"]
    + [f"rdma_{kind}{role}" for kind in ("", "x") for role in ("server", "client")]
    + [f"ibv_{kind}_pingpong" for kind in ("rc", "uc", "ud", "srq")]
    + [
        f"ib_{verb}_{what}"
        for verb in ("send", "write", "read", "atomic")
        for what in ("lat", "bw")
    ]
)
PROVIDER_CONFIG = Path("/etc/libibverbs.d")
PROVIDERS = ("rxe", "siw", "mlx5")

# The library with which a program writes its output line by line into a pipe (stdbuf of coreutils).
LINE_BUFFER_LIBRARY = Path("/usr/libexec/coreutils/libstdbuf.so")
# The C library itself loads this one when a thread ends.
UNWINDER = Path("/lib/x86_64-linux-gnu/libgcc_s.so.1")
# The loader of shared libraries.
LOADER = Path("/lib64/ld-linux-x86-64.so.2")
LINE_BUFFERED = f"_STDBUF_O=L LD_PRELOAD={LINE_BUFFER_LIBRARY}"

INIT = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /usr/bin /usr/sbin /sbin
/bin/busybox --install -s
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts /dev/shm
mount -t tmpfs shm /dev/shm
address=; gateway=; underlay=; name=guest; driver=load
for word in $(cat /proc/cmdline); do
    case $word in
    vrdma.address=*) address=${{word#*=}} ;;
    vrdma.gateway=*) gateway=${{word#*=}} ;;
    vrdma.underlay=*) underlay=${{word#*=}} ;;
    vrdma.name=*) name=${{word#*=}} ;;
    vrdma.driver=*) driver=${{word#*=}} ;;
    esac
done
hostname "$name"
load() {{
    while read -r module; do
        insmod "/lib/modules/$module" || echo "init: $module does not load"
    done < "$1"
}}
load /lib/modules/order
ip link set lo up
if [ -n "$address" ] && [ -e /sys/class/net/eth0 ]; then
    ip addr add "$address" dev eth0
    ip link set eth0 up
    [ -z "$underlay" ] || ip addr add "$underlay/32" dev eth0
    [ -z "$gateway" ] || ip route add default via "$gateway"
fi
if [ "$driver" = load ] && [ -e /lib/modules/vrdma.ko ]; then
    insmod /lib/modules/vrdma.ko || echo "init: vrdma.ko does not load"
fi
[ -e /sys/class/misc/rdma_cm ] || load /lib/modules/late
while :; do
    for port in /sys/class/virtio-ports/*; do
        [ "$(cat "$port/name" 2> /dev/null)" = {AGENT_PORT} ] &&
            exec /bin/agent "/dev/${{port##*/}}"
    done
    usleep 50000
done
"""


def libraries_of(programs: list[Path]) -> set[Path]:
    """The shared libraries that the programs need, as the loader finds them."""
    found: set[Path] = set()
    for program in programs:
        # As ldd does it, which is a shell script and takes fifteen times as long.
        output = subprocess.run(
            [LOADER, program],
            env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in output.splitlines():
            if "not found" in line:
                raise LabError(f"a library for the guests is missing: {line.strip()}")
            match = re.search(r"(/\S+) \(0x", line)
            if match:
                found.add(Path(match.group(1)))
    return found


def stripped_module(module: Path, folder: Path) -> bytes:
    """The module's bytes without debug information.

    Nearly all of a module as it is built serves debuggers, and guests unpack it at each boot.
    """
    stripped = folder / module.name
    subprocess.run(["strip", "--strip-debug", "-o", str(stripped), str(module)], check=True)
    return stripped.read_bytes()


def tool_file(name: str) -> Path:
    """The file of a program that is installed here."""
    found = shutil.which(name, path=paths.sbin_path())
    if found is None:
        raise LabError(f"{name} is not installed")
    return Path(found)


def _provider(name: str) -> Path:
    found = sorted(Path("/usr/lib").glob(f"*/libibverbs/lib{name}-rdmav*.so"))
    if not found:
        raise LabError(f"libibverbs has no provider {name}: is ibverbs-providers installed?")
    return found[-1]


def build_initramfs(path: Path, kernel: Kernel, driver: Path | None) -> None:
    """Writes the guests' initramfs for this kernel, with vrdma.ko if it is given."""
    archive = CpioWriter(path)
    for folder in ("proc", "sys", "dev", "tmp", "run"):
        archive.folder(folder)
    archive.file("/bin/busybox", tool_file("busybox").read_bytes(), 0o755)
    archive.link("/bin/sh", "busybox")
    agent = compile_agent(path.parent)
    archive.file("/bin/agent", agent.read_bytes(), 0o755)
    _add_programs(archive, agent)
    _add_modules(archive, kernel)
    if driver is not None:
        if not driver.exists():
            raise LabError(f"the guest driver {driver} is not built")
        archive.file("/lib/modules/vrdma.ko", stripped_module(driver, path.parent))
    archive.file("/init", INIT.encode(), 0o755)
    archive.close()


def _add_programs(archive: CpioWriter, agent: Path) -> None:
    """Adds the RDMA programs, and the libraries that they and the agent need."""
    programs = [tool_file(tool) for tool in TOOLS] + measuring_programs() + lab_programs()
    providers = [_provider(name) for name in PROVIDERS]
    loaded = [LINE_BUFFER_LIBRARY, UNWINDER]
    libraries = sorted(libraries_of([agent, *programs, *providers]))
    for library in (*libraries, *providers, *loaded):
        archive.file(str(library), library.read_bytes(), 0o755)
    for program in programs:
        archive.file(f"/usr/bin/{program.name}", program.read_bytes(), 0o755)
    for name in PROVIDERS:
        config = PROVIDER_CONFIG / f"{name}.driver"
        archive.file(str(config), config.read_bytes())


def _add_modules(archive: CpioWriter, kernel: Kernel) -> None:
    """Adds the modules, and the orders in which init loads them."""
    early = modules(kernel, BASE_MODULES + RDMA_MODULES)
    late = [module for module in modules(kernel, LATE_MODULES) if module not in early]
    for order, files in (("order", early), ("late", late)):
        names = ""
        for module in files:
            name, data = module_bytes(module)
            archive.file(f"/lib/modules/{name}", data)
            names += name + "\n"
        archive.file(f"/lib/modules/{order}", names.encode())
