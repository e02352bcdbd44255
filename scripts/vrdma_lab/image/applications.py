# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""An archive with programs that applications of RDMA bring: qperf, UCX's and libfabric's.

Guests have it besides their initramfs where a suite asks for it. The files are this machine's own,
at the same places, so that a program has one name in guests and on hosts.
"""

from __future__ import annotations

from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.initramfs import libraries_of, tool_file

# libfabric's verbs provider looks "localhost" up where a server names no address, and glibc asks
# DNS first unless it is told not to.
NAMES = {"/etc/hosts": b"127.0.0.1 localhost\n", "/etc/nsswitch.conf": b"hosts: files\n"}

APPLICATIONS = ("qperf", "ucx_perftest", "ucx_info", "fi_pingpong", "fi_info")


def _ucx_modules() -> list[Path]:
    """The libraries that UCX loads by itself, by the names that UCX looks for."""
    found = sorted(Path("/usr/lib").glob("*/ucx/libuc*.so.0"))
    if not found:
        raise LabError("UCX has no modules: is libucx0 installed?")
    return found


def build_applications(path: Path) -> None:
    """Writes the archive, which may follow an initramfs."""
    archive = CpioWriter(path)
    programs = [tool_file(name) for name in APPLICATIONS]
    modules = _ucx_modules()
    for library in sorted({*libraries_of([*programs, *modules]), *modules}):
        archive.file(str(library), library.read_bytes(), 0o755)
    for program in programs:
        archive.file(f"/usr/bin/{program.name}", program.read_bytes(), 0o755)
    for name, content in NAMES.items():
        archive.file(name, content, 0o644)
    archive.close()
