# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""KVM's exits of guests, counted by their reasons.

A guest also leaves for the host when the host's timer ticks or its own does, however idle its
devices are. The accesses to devices are the exits that only the guest's own doing causes; they are
what its programs cost the host beyond their time.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from vrdma_lab.errors import LabError
from vrdma_lab.vm.guest import Guest

_TRACING = Path("/sys/kernel/tracing")
_TRIGGER = _TRACING / "events" / "kvm" / "kvm_exit" / "trigger"
_HISTOGRAM = _TRACING / "events" / "kvm" / "kvm_exit" / "hist"
_KEYS = "hist:keys=common_pid,exit_reason"

# From asm/svm.h and asm/vmx.h: nested page fault or EPT misconfiguration, port access, hypercall.
_DEVICE_ACCESS = {"kvm_amd": {0x400, 0x7B, 0x81}, "kvm_intel": {48, 49, 30, 18}}


def _device_reasons() -> Iterable[int]:
    for module, reasons in _DEVICE_ACCESS.items():
        if (Path("/sys/module") / module).exists():
            return reasons
    raise LabError("neither kvm_amd nor kvm_intel is loaded")


class ExitReasons:
    """Counts while the `with` block lasts."""

    def __enter__(self) -> ExitReasons:
        if not _TRIGGER.exists():
            subprocess.run(["mount", "-t", "tracefs", "tracefs", str(_TRACING)], check=True)
        self._reasons = set(_device_reasons())
        _TRIGGER.write_text(_KEYS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _TRIGGER.write_text(f"!{_KEYS}")

    def device_accesses(self, guest: Guest) -> int:
        """The number of exits, since the block began, by which a guest reached a device."""
        thread = _processor_thread(guest)
        counts = re.findall(
            r"common_pid: *(\d+), exit_reason: *(\d+) *} hitcount: *(\d+)", _HISTOGRAM.read_text()
        )
        return sum(
            int(hits)
            for pid, reason, hits in counts
            if int(pid) == thread and int(reason) in self._reasons
        )


def _processor_thread(guest: Guest) -> int:
    for task in Path(f"/proc/{guest.qemu.process.pid}/task").iterdir():
        if re.match(r"CPU \d+/KVM", (task / "comm").read_text()):
            return int(task.name)
    raise LabError(f"the QEMU of guest {guest.name} has no thread of a processor under KVM")
