# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The options that all QEMUs of the lab are started with."""

from __future__ import annotations

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
