# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Counters of an RDMA host's kernel: the objects of its RNICs, and the exits of its guests."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import Patience
from vrdma_lab.vm.guest import Guest

_KVM = Path("/sys/kernel/debug/kvm")
# Objects that programs create. An RNIC's driver has objects of its own, so only differences mean
# something.
KINDS = ("pd", "cq", "qp", "mr", "ctx", "srq", "cm_id")

Counts = dict[str, int]


def rdma_resources(device: str) -> Counts:
    """How many objects of each kind the RNIC has, for all its users."""
    done = subprocess.run(
        ["rdma", "-j", "resource", "show", device], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise LabError(f"rdma resource show {device}: {done.stderr.strip()}")
    for entry in json.loads(done.stdout):
        if entry.get("ifname") == device:
            return {kind: entry[kind] for kind in KINDS if kind in entry}
    raise LabError(f"rdma resource knows no {device}: {done.stdout.strip()}")


def wait_resources(
    device: str, condition: Callable[[Counts], bool], what: str, timeout: float = 60
) -> Counts:
    """The counts, once the condition holds for them."""
    patience = Patience(timeout)
    while True:
        counts = rdma_resources(device)
        if condition(counts):
            return counts
        if patience.over:
            raise LabError(f"not so, {patience.why()}: {what}; {device} has {counts}")
        time.sleep(0.1)


def exits(guest: Guest) -> int:
    """The number of exits of the guest's processor since the guest was made."""
    folders = list(_KVM.glob(f"{guest.qemu.process.pid}-*"))
    if len(folders) != 1:
        raise LabError(
            f"{_KVM} has no single folder for process {guest.qemu.process.pid} "
            "(is debugfs mounted?)"
        )
    return int((folders[0] / "exits").read_text())
