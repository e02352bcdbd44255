# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The guests' kernels: Debian's 6.1, 6.12 and its newest, unpacked in the cache.

The headers match each kernel to the letter, so that nothing has to be installed on the machine. A
kernel's folder has:

    release    the release, as uname -r says it
    tree       the packages, unpacked
    build      the folder that make -C takes for a module
    arguments  what make needs besides, one a line, if it needs anything
    vmlinux    the kernel, decompressed: QEMU starts it by PVH, seconds faster under TCG

Of a kernel that the driver is only built for, there is no vmlinux and no module.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.errors import LabError
from vrdma_lab.setup import cache
from vrdma_lab.setup.apt import Apt
from vrdma_lab.setup.driver import build_driver
from vrdma_lab.setup.runner import Runner, Steps

SUITES = {
    "6.1": "bookworm",
    "6.12": "bookworm-backports",
    "6.12-trixie": "trixie",
    paths.NEWEST_KERNEL: "trixie-backports",
}
# What this machine's Debian does not have: the tools that kbuild runs need the libc that they were
# made for, and the compiler takes fewer options than the one that made the kernel.
_FOREIGN_SUITES = ("trixie", "trixie-backports")
_FOREIGN_ARGUMENTS = ("CC=gcc", "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=")

_IMAGE_PARTS = ("binary-", "modules-", "base-[0-9]")
_ELF = b"\x7fELF"
# The magic that each compressor's output begins with.
_DECOMPRESSORS = {"unxz": b"\xfd7zXZ\x00", "unzstd": b"\x28\xb5\x2f\xfd"}


def prepare_kernel(steps: Steps, series: str) -> None:
    """Fetches a guest kernel unless it is there, and builds the driver for it."""
    with steps.step(f"Guest kernel {series}", f"kernel-{series}") as runner:
        cache.make_once(paths.kernel_folder(series), lambda folder: _unpack(runner, series, folder))
    build_driver(steps, paths.Kernel.find(series))


def _unpack(runner: Runner, series: str, folder: Path) -> None:
    suite, apt = SUITES[series], Apt(runner)
    image = apt.dependency(suite, "linux-image-amd64", r"linux-image-.*-amd64")
    release = image.removeprefix("linux-image-")
    runner.say(f"Fetching the guest kernel {release} (Debian {suite})")
    packages = _headers(apt, suite, release)
    if series not in paths.BUILT_KERNELS:
        # The image itself, or from Linux 7.2 on the packages that it is made of.
        parts = (apt.find_dependency(suite, image, f"linux-{part}.*") for part in _IMAGE_PARTS)
        packages += [part for part in parts if part] or [image]
    tree = folder / "tree"
    tree.mkdir()
    for package in apt.download(suite, folder / "debs", packages):
        runner.run(["dpkg-deb", "-x", package, tree])
    shutil.rmtree(folder / "debs")
    _relocate(tree, release)
    if suite in _FOREIGN_SUITES:
        _lend_libc(runner, apt, folder)
        (folder / "arguments").write_text("".join(f"{word}\n" for word in _FOREIGN_ARGUMENTS))
    if series not in paths.BUILT_KERNELS:
        _add_image(runner, tree, release, folder)
    (folder / "build").symlink_to(f"tree/usr/src/linux-headers-{release}")
    (folder / "release").write_text(f"{release}\n")


def _headers(apt: Apt, suite: str, release: str) -> list[str]:
    """The packages with what a module is built with."""
    headers = f"linux-headers-{release}"
    return [
        headers,
        apt.dependency(suite, headers, r"linux-headers-.*-common.*"),
        apt.dependency(suite, headers, r"linux-kbuild-.*"),
    ]


def _add_image(runner: Runner, tree: Path, release: str, folder: Path) -> None:
    """Makes the modules known to modprobe, and decompresses the kernel."""
    image = tree / "boot" / f"vmlinuz-{release}"
    if not image.exists():
        (tree / "lib").symlink_to("usr/lib")
        image = tree / "lib" / "modules" / release / "vmlinuz"
    runner.run(["depmod", "-b", tree, release])
    (folder / "vmlinux").write_bytes(decompressed(image.read_bytes()))


def _lend_libc(runner: Runner, apt: Apt, folder: Path) -> None:
    """Lets the programs of kbuild run with the libc of their own Debian."""
    (package,) = apt.download("trixie", folder / "debs", ("libc6",))
    libc = folder / "libc"
    runner.run(["dpkg-deb", "-x", package, libc])
    shutil.rmtree(folder / "debs")
    (libraries,) = libc.glob("usr/lib/x86_64-linux-gnu")
    loader = libraries / "ld-linux-x86-64.so.2"
    for program in sorted((folder / "tree" / "usr" / "lib").glob("linux-kbuild-*/**/*")):
        if program.is_symlink() or not program.is_file():
            continue
        if not program.read_bytes().startswith(_ELF):
            continue
        program.rename(program.with_name(f"{program.name}.elf"))
        program.write_text(
            f'#!/bin/sh\nexec "{loader}" --argv0 "$0" --library-path "{libraries}" '
            f'"{program}.elf" "$@"\n'
        )
        program.chmod(0o755)


def _relocate(tree: Path, release: str) -> None:
    """Makes the headers, which refer to each other by absolute paths below /usr, refer to the tree.

    Without the vmlinux that 6.12 brings along, modules are built without BTF, which needs pahole
    and serves only tracing.
    """
    sources = tree / "usr" / "src"
    headers = sources / f"linux-headers-{release}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{sources}/"))
    (headers / "vmlinux").unlink(missing_ok=True)
    for parent, folders, files in os.walk(sources):
        for name in (*folders, *files):
            link = Path(parent) / name
            if link.is_symlink() and os.readlink(link).startswith("/usr/"):
                target = f"{tree}{os.readlink(link)}"
                link.unlink()
                link.symlink_to(target)


def decompressed(image: bytes) -> bytes:
    """The kernel in a bzImage, which has it somewhere behind its own code."""
    for tool, magic in _DECOMPRESSORS.items():
        offset = image.find(magic)
        while offset >= 0:
            # The decompressor complains about the bytes after the kernel, and has written the
            # kernel by then.
            output = subprocess.run([tool, "-c"], input=image[offset:], capture_output=True).stdout
            if output.startswith(_ELF):
                return output
            offset = image.find(magic, offset + 1)
    raise LabError("the kernel is compressed in a way that is not known here")
