# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""What a machine does whose programs answer no more: its kernel is asked, by the keys of SysRq.

The kernel's answers are on its console. They come from its interrupts, so they come while no
program runs; the kernel's command line needs sysrq_always_enabled. A kernel that does not answer
has its interrupts off: it gets an NMI, which ends it with a trace (unknown_nmi_panic).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from vrdma_lab.children import Child, size_of
from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import StepPatience
from vrdma_lab.vm.monitor import Monitor

# The keys, and the line by which each answer begins. The last one ends the answer before it.
_QUESTIONS = (
    ("9", "sysrq: Changing Loglevel"),  # everything goes to the console
    ("p", "sysrq: Show Regs"),
    ("l", "sysrq: Show backtrace of all active CPUs"),
    ("t", "sysrq: Show State"),
    ("h", "sysrq: HELP"),
)
# Seconds for the next line of an answer.
_LINE = 20.0
_TASK = re.compile(r"task:.* state:(?P<state>\S+) .* pid:(?P<pid>\d+) .*ppid:(?P<ppid>\d+) ")
_REGISTERS = re.compile("R[A-Z0-9]{2}:")
# Frames that the kernel is not sure of, idle threads in the scheduler's list, and empty lines.
_NOISE = re.compile(r" \? | I +\S+ +\d+ |\s*$")
_KTHREADD = "2"
_TIME = re.compile(r"^\[ *\d+\.\d+\] ")


def examine(qemu: Child, socket: Path, console: Path) -> str:
    """What a machine's processor, its kernel and the threads of its QEMU do."""
    parts = [f"  the threads of {qemu.name}:\n{_indented(_threads(qemu.process.pid))}"]
    if qemu.running:
        try:
            parts.append(_ask(qemu, socket, console))
        except (LabError, OSError) as error:
            parts.append(f"  its monitor does not answer: {error}")
    return "\n" + "\n".join(parts)


def _ask(qemu: Child, socket: Path, console: Path) -> str:
    before = size_of(console)

    def said() -> str:
        with console.open("rb") as file:
            file.seek(before)
            return file.read().decode(errors="replace")

    monitor = Monitor(socket)
    try:
        registers = monitor.human("info registers").splitlines()[:12]
        text = f"  its processor:\n{_indented(registers)}\n"
        if not _answers(monitor, said):
            monitor.execute("inject-nmi")
            # The kernel panics, and QEMU ends instead of booting it again.
            _comes(lambda: not qemu.running, said)
            text += "  its kernel does not answer, and got an NMI.\n"
    finally:
        monitor.close()
    return text + f"  its kernel:\n{_indented(telling(said()))}"


def _answers(monitor: Monitor, said: Callable[[], str]) -> bool:
    """Whether the kernel answers all questions."""
    for key, answer in _QUESTIONS:
        monitor.human(f"sendkey alt-sysrq-{key}")
        if not _answered(answer, said):
            return False
    return True


def _answered(answer: str, said: Callable[[], str]) -> bool:
    return _comes(lambda: answer in said(), said)


def _comes(condition: Callable[[], bool], said: Callable[[], str]) -> bool:
    """Whether a condition comes true while the kernel says something now and then."""
    patience = StepPatience(_LINE, _LINE, lambda: len(said()))
    while not condition():
        if patience.over:
            return False
        time.sleep(0.1)
    return True


def telling(console: str) -> list[str]:
    """The lines that tell something in the kernel's answers.

    Threads of the kernel that wait for work are left out, as are the registers of programs that
    wait, and the scheduler's figures but for its list of tasks.
    """
    kept: list[str] = []
    wanted, in_tasks = True, False
    for line in console.replace("\r", "").splitlines():
        text = _TIME.sub("", line)
        task = _TASK.match(text)
        if task:
            own = _KTHREADD in (task["pid"], task["ppid"])
            wanted, in_tasks = not own or task["state"] in ("R", "D"), True
        elif text.startswith("Sched Debug"):
            wanted, in_tasks = False, False
        elif text.startswith(("sysrq: ", "runnable tasks:", "Showing ")):
            wanted, in_tasks = True, False
        noise = _NOISE.match(text) or (in_tasks and _REGISTERS.match(text))
        if wanted and not noise:
            kept.append(text)
    return kept


def _threads(pid: int) -> list[str]:
    """Name and state of each thread, and where it waits in this machine's kernel."""
    lines = []
    for thread in sorted(Path(f"/proc/{pid}/task").glob("*")):
        try:
            name = (thread / "comm").read_text().strip()
            state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
            place = (thread / "wchan").read_text()
        except OSError:
            continue  # it has just ended
        lines.append(f"{name}: {state} {place if place != '0' else ''}".rstrip())
    return lines


def _indented(lines: list[str]) -> str:
    return "\n".join("    " + line for line in lines)
