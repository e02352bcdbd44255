# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Small C programs of tests/e2e/guest, compiled here and sent to a guest."""

from __future__ import annotations

import base64
import subprocess
import tempfile
from pathlib import Path

from vrdma_lab.vm.guest import Guest

FOLDER = Path(__file__).resolve().parents[1] / "e2e" / "guest"
CHUNK = 2048  # characters of one command's line


def send_program(guest: Guest, name: str, libraries: tuple[str, ...] = ()) -> None:
    """Puts the program `name` into the guest's /tmp."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / name
        command = [
            "gcc",
            "-O2",
            "-s",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-o",
            str(program),
            str(FOLDER / f"{name}.c"),
        ]
        subprocess.run([*command, *(f"-l{library}" for library in libraries)], check=True)
        send_file(guest, name, program.read_bytes())


def send_file(guest: Guest, name: str, content: bytes) -> None:
    """Puts an executable file with this content into the guest's /tmp."""
    text = base64.b64encode(content).decode()
    guest.must(f": > /tmp/{name}.b64")
    for start in range(0, len(text), CHUNK):
        guest.must(f"echo {text[start:start + CHUNK]} >> /tmp/{name}.b64")
    guest.must(f"base64 -d /tmp/{name}.b64 > /tmp/{name} && chmod +x /tmp/{name}")
