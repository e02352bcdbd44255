# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The agent as a service of its port, on disks that have systemd and udev."""

from __future__ import annotations

from dataclasses import dataclass

from vrdma_lab.machine.agent import AGENT_PORT

_AGENT = "/usr/local/sbin/vrdma-lab-agent"
_UNIT = f"""[Unit]
Description=The lab's commands
DefaultDependencies=no
Conflicts=shutdown.target
[Service]
ExecStart={_AGENT} /dev/virtio-ports/{AGENT_PORT}
"""
# udev starts the service of a device that has come, as it does for QEMU's guest agent.
_RULE = (
    f'SUBSYSTEM=="virtio-ports", ATTR{{name}}=="{AGENT_PORT}", TAG+="systemd", '
    'ENV{SYSTEMD_WANTS}+="vrdma-lab-agent.service"\n'
)


@dataclass(frozen=True)
class DiskFile:
    """A file of a disk."""

    path: str
    content: bytes
    mode: int = 0o644


def agent_files(agent: bytes) -> tuple[DiskFile, ...]:
    """The files that make the program (machine/agent.py) a service."""
    return (
        DiskFile(_AGENT, agent, 0o755),
        DiskFile("/etc/systemd/system/vrdma-lab-agent.service", _UNIT.encode()),
        DiskFile("/etc/udev/rules.d/60-vrdma-lab-agent.rules", _RULE.encode()),
    )
