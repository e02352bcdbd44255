# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Places where suites and commands run: host VMs, or this machine if it is an RDMA host itself."""

from __future__ import annotations

import json
import math
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from vrdma_lab import paths
from vrdma_lab.children import WorkFolder
from vrdma_lab.errors import LabError
from vrdma_lab.host.host_lab import HostLab, seen_inside
from vrdma_lab.host.rdma_host import RdmaHost
from vrdma_lab.host.suites import Suite
from vrdma_lab.machine import terminal
from vrdma_lab.network.rnics import KINDS
from vrdma_lab.vm.accelerator import choose_accelerator

Report = dict[str, Any]


def machine_is_a_host(kernel: str) -> bool:
    """Whether this machine's own kernel has RDMA and its KVM works.

    Nothing has to be emulated then.
    """
    forced = os.environ.get("VRDMA_LAB", "")
    if forced not in ("", "host", "vm"):
        raise LabError(
            f"VRDMA_LAB is {forced!r}: "
            "host (use this machine's RDMA and KVM) or vm (emulate a host)"
        )
    if forced:
        return forced == "host"
    found = subprocess.run(["modprobe", "--dry-run", "--quiet", "rdma_rxe"]).returncode == 0
    if os.geteuid() != 0 or not (found or Path("/sys/module/rdma_rxe").exists()):
        return False
    work = WorkFolder()
    try:
        return choose_accelerator(paths.Kernel.find(kernel), work.path) == "kvm"
    finally:
        work.remove()


class Place:
    """One or two RDMA hosts that commands and suites run on."""

    def __init__(self, rnic: str, kernel: str) -> None:
        self._rnic = rnic
        self._kernel = kernel

    def execute(self, command: str) -> int:
        """Runs a shell command with its output going to this program's; its status."""
        raise NotImplementedError

    def shell(self) -> int:
        """Runs a shell; its status.

        The shell has this program's terminal, or reads this program's standard input.
        """
        raise NotImplementedError

    def run(self, suite: Suite, pattern: str) -> tuple[int, Report]:
        """Runs the tests of a suite that match the pattern; the suite's status and its report."""
        raise NotImplementedError


class _EmulatedHosts(Place):
    """Runs things in host VMs."""

    def execute(self, command: str) -> int:
        with HostLab(1, self._rnic, self._kernel) as lab:
            (host,) = lab.hosts
            # Who types a command may let it be silent for as long as it likes.
            status = host.start(lab.environment(host) + command, _print).wait(math.inf).status
            return max(status, _judge(lab))

    def shell(self) -> int:
        if not sys.stdin.isatty():
            return self.execute(sys.stdin.read())
        with HostLab(1, self._rnic, self._kernel) as lab:
            (host,) = lab.hosts
            columns, rows = terminal.size()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(host.terminal))
                # The terminal of a console belongs to no session until a session takes it.
                job = host.start(
                    f"{lab.environment(host)}stty -F /dev/hvc0 rows {rows} cols {columns}; "
                    f"TERM={shlex.quote(os.environ.get('TERM', 'dumb'))} "
                    "exec setsid --ctty --wait bash -i < /dev/hvc0 > /dev/hvc0 2>&1"
                )
                terminal.join(connection, lambda: job.done)
                return job.wait(60).status

    def run(self, suite: Suite, pattern: str) -> tuple[int, Report]:
        with HostLab(
            suite.hosts, suite.rnic, self._kernel, other_rnic=suite.other_rnic
        ) as lab:
            report = lab.share / f"{suite.name}.json"
            command = _suite_command(suite, seen_inside(report, lab), pattern)
            compiled = _compile(suite)
            for host in lab.hosts[1:]:
                server = host.start(
                    lab.environment(host)
                    + compiled
                    + "exec /usr/bin/python3 -m vrdma_lab.host.host_server"
                )
                server.wait_for("ready")
            first = lab.hosts[0]
            status = first.follow(
                lab.environment(first) + compiled + command, _print, lab.hosts[1:]
            ).status
            return max(status, _judge(lab)), _read_report(report)


class _ThisMachine(Place):
    """Runs things on this machine, which is an RDMA host itself."""

    def execute(self, command: str) -> int:
        return self._with_host(["sh", "-c", command])

    def shell(self) -> int:
        return self._with_host([os.environ.get("SHELL", "/bin/bash"), "-i"])

    def _with_host(self, command: list[str]) -> int:
        with RdmaHost(rnic=self._rnic):
            status = subprocess.run(command).returncode
        return status if status >= 0 else 128 - status

    def run(self, suite: Suite, pattern: str) -> tuple[int, Report]:
        if suite.hosts > 1:
            raise LabError(
                f"suite {suite.name} needs {suite.hosts} hosts: VRDMA_LAB=vm emulates them"
            )
        work = WorkFolder()
        try:
            report = work.path / "report.json"
            command = _suite_command(suite, report, pattern)
            variables = {"VRDMA_LAB_RNIC": suite.rnic, "VRDMA_KERNEL": self._kernel}
            environment = {**os.environ, **paths.python_environment(), **variables}
            status = subprocess.run(["sh", "-c", command], env=environment).returncode
            return status, _read_report(report)
        finally:
            work.remove()


def choose_place(rnic: str, kernel: str) -> Place:
    """This machine if it is an RDMA host, or else host VMs, which alone can have a model."""
    if KINDS[rnic].model:
        return _EmulatedHosts(rnic, kernel)
    return _ThisMachine(rnic, kernel) if machine_is_a_host(kernel) else _EmulatedHosts(rnic, kernel)


def _judge(lab: HostLab) -> int:
    """1 if something happened that a model of an adapter forbids, which is printed then, or 0."""
    violations = lab.violations()
    for line in violations:
        print(f"lab: {line}", file=sys.stderr)
    return 1 if violations else 0


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _compile(suite: Suite) -> str:
    """Has Python compile what the suite imports, which takes a host VM seconds.

    The result is the beginning of a shell's command, by which Python finds the code.
    """
    folder = paths.cache() / "python"
    environment = {**os.environ, **paths.python_environment(), "PYTHONPYCACHEPREFIX": str(folder)}
    del environment["PYTHONDONTWRITEBYTECODE"]
    words = "import runpy, sys, vrdma_lab.host.host_server; runpy.run_path(sys.argv[1])"
    subprocess.run(["/usr/bin/python3", "-c", words, suite.file], env=environment, check=True)
    return f"export PYTHONPYCACHEPREFIX={shlex.quote(str(folder))}\n"


def _suite_command(suite: Suite, report: Path, pattern: str) -> str:
    words = ["/usr/bin/python3", str(suite.file), "--json", str(report)]
    if pattern:
        words += ["--filter", pattern]
    return "exec " + shlex.join(words) + " 2>&1"


def _read_report(path: Path) -> Report:
    try:
        report: Report = json.loads(path.read_text())
        return report
    except OSError:
        raise LabError("the suite ended without a report") from None
