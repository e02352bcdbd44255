# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""An archive with vrdmad as a service, for guests whose disk has systemd.

The programs and the units are those of the build, at the places where they are installed; beside
vrdmad there is another version of it, vrdmad.next.
"""

from __future__ import annotations

from pathlib import Path

from vrdma_lab import paths
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.initramfs import libraries_of

# The initramfs of such a guest puts what is below this folder on the disk.
_DISK = "/disk"
# The disk has these, and runs by them.
_GLIBC = ("ld-linux", "libc.so", "libm.so")


def build_service(path: Path, configuration: str) -> None:
    """Writes the archive, which may follow an initramfs."""
    archive = CpioWriter(path)
    programs = {
        "vrdmad": paths.daemon(),
        "vrdmad.next": paths.next_daemon(),
        "vrdmactl": paths.vrdmactl(),
    }
    for library in libraries_of(list(programs.values())):
        if not library.name.startswith(_GLIBC):
            # /lib is a link on the disk, which a folder would not replace.
            archive.file(f"{_DISK}{library.parent.resolve()}/{library.name}",
                         library.read_bytes(), 0o755)
    for name, program in programs.items():
        archive.file(f"{_DISK}/usr/local/bin/{name}", program.read_bytes(), 0o755)
    for unit in sorted((paths.build_folder() / "backend" / "systemd").glob("*.service")):
        archive.file(f"{_DISK}/usr/local/lib/systemd/system/{unit.name}", unit.read_bytes())
    archive.file(f"{_DISK}/etc/vrdma/vrdmad.toml", configuration.encode())
    archive.close()
