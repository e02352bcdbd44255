# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What all QEMUs of the lab share: their options, and what is told of one that gives no answer."""

from __future__ import annotations

from pathlib import Path

from vrdma_lab.children import Child, tail
from vrdma_lab.machine.agent import AGENT_PORT

COMMON_OPTIONS = (
    *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-no-reboot"),
)


def agent_options(socket: str) -> list[str]:
    """The agent's virtio serial port, joined to a socket with these properties."""
    return [
        *("-chardev", f"socket,id=agent,{socket},server=on,wait=off"),
        *("-device", "virtio-serial-pci"),
        *("-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"),
    ]


def explain(console: Path, qemu: Child, more: str = "") -> str:
    """What a machine and its QEMU have said last, `more` of it, and whether the QEMU has ended."""
    text = f"  its console:\n{tail(console)}\n  its QEMU:\n{qemu.tail()}{more}"
    if not qemu.running:
        text += f"\n  QEMU ended with status {qemu.process.returncode}"
    return text
