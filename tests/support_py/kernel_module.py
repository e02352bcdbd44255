# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Test modules for a guest's kernel, of tests/e2e/guest/FOLDER, built here and sent to a guest."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from support_py.guest_program import FOLDER, send_file
from vrdma_lab import paths
from vrdma_lab.image.initramfs import stripped_module
from vrdma_lab.vm.guest import Guest


def send_module(guest: Guest, kernel: paths.Kernel, folder: str, name: str) -> None:
    """Puts NAME.ko into the guest's /tmp.  It may use the headers of the guest's driver."""
    with tempfile.TemporaryDirectory() as work:
        build = Path(work) / "build"
        shutil.copytree(FOLDER / folder, build)
        headers = (paths.kernel_folder(kernel.series) / "build").resolve()
        command = [
            *("make", "-C", str(headers), f"M={build}", f"VRDMA={paths.SOURCE}"),
            f"DRIVER={paths.driver(kernel).parent}",
            *("KCFLAGS=-Werror -g0", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"),
        ]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            raise AssertionError(f"{name}.ko is not built:\n{made.stdout}{made.stderr}")
        send_file(guest, f"{name}.ko", stripped_module(build / f"{name}.ko", Path(work)))
