# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The agent that runs a machine's commands (agent.c), and the port on which guests have it."""

from __future__ import annotations

import subprocess
from pathlib import Path

# The name of the virtio serial port.
AGENT_PORT = "vrdma.agent"


def compile_agent(folder: Path) -> Path:
    """Compiles agent.c into the folder, unless that was done before; the program."""
    agent = folder / "agent"
    if agent.exists():
        return agent
    source = Path(__file__).with_name("agent.c")
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(agent), str(source)], check=True
    )
    return agent
