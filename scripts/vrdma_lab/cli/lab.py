# SPDX-License-Identifier: Apache-2.0
"""What scripts/lab runs once everything is built."""

from __future__ import annotations

import argparse
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
from vrdma_lab.children import WorkFolder, raise_on_signals
from vrdma_lab.errors import Interrupted, LabError
from vrdma_lab.host.host_lab import HostLab, seen_inside
from vrdma_lab.host.suites import Suite, all_suites
from vrdma_lab.machine import terminal
from vrdma_lab.vm.accelerator import choose_accelerator

_USAGE = 2


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def machine_is_a_host(kernel: str) -> bool:
    """Whether this machine's own kernel has RDMA and its KVM works, so that nothing has to be emulated."""
    forced = os.environ.get("VRDMA_LAB", "")
    if forced not in ("", "host", "vm"):
        raise LabError(f"VRDMA_LAB is {forced!r}: host (use this machine's RDMA and KVM) or vm (emulate a host)")
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


class _EmulatedHosts:
    """Runs things in host VMs."""

    def __init__(self, rnic: str, kernel: str) -> None:
        self._rnic = rnic
        self._kernel = kernel

    def execute(self, command: str) -> int:
        with HostLab(1, self._rnic, self._kernel) as lab:
            (host,) = lab.hosts
            return host.start(lab.environment(host) + command, _print).wait(math.inf).status

    def shell(self) -> int:
        if not sys.stdin.isatty():
            return self.execute(sys.stdin.read())
        with HostLab(1, self._rnic, self._kernel) as lab:
            (host,) = lab.hosts
            columns, rows = terminal.size()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(host.terminal))
                # A console's terminal is nobody's until somebody takes it.
                job = host.start(
                    f"{lab.environment(host)}stty -F /dev/hvc0 rows {rows} cols {columns}; "
                    f"TERM={shlex.quote(os.environ.get('TERM', 'dumb'))} "
                    "exec setsid --ctty --wait bash -i < /dev/hvc0 > /dev/hvc0 2>&1"
                )
                terminal.join(connection, lambda: job.done)
                return job.wait(60).status

    def run(self, suite: Suite, pattern: str) -> tuple[int, dict[str, Any]]:
        with HostLab(suite.hosts, suite.rnic, self._kernel) as lab:
            report = lab.share / f"{suite.name}.json"
            command = _suite_command(suite, seen_inside(report, lab), pattern)
            for host in lab.hosts[1:]:
                server = host.start(lab.environment(host) + "exec /usr/bin/python3 -m vrdma_lab.host.host_server")
                server.wait_for("ready")
            first = lab.hosts[0]
            status = first.start(lab.environment(first) + command, _print).wait(math.inf).status
            return status, _read_report(report)


class _ThisMachine:
    """Runs things on this machine, which is an RDMA host itself."""

    def __init__(self, rnic: str, kernel: str) -> None:
        self._rnic = rnic
        self._kernel = kernel

    def execute(self, command: str) -> int:
        return self._with_host(["sh", "-c", command])

    def shell(self) -> int:
        return self._with_host([os.environ.get("SHELL", "/bin/bash"), "-i"])

    def _with_host(self, command: list[str]) -> int:
        # Not needed, and slow to load, where hosts are emulated.
        from vrdma_lab.host.rdma_host import RdmaHost

        with RdmaHost(rnic=self._rnic):
            status = subprocess.run(command).returncode
        return status if status >= 0 else 128 - status

    def run(self, suite: Suite, pattern: str) -> tuple[int, dict[str, Any]]:
        if suite.hosts > 1:
            raise LabError(f"suite {suite.name} needs {suite.hosts} hosts: VRDMA_LAB=vm emulates them")
        work = WorkFolder()
        try:
            report = work.path / "report.json"
            command = _suite_command(suite, report, pattern)
            environment = {**os.environ, "VRDMA_LAB_RNIC": suite.rnic, "VRDMA_KERNEL": self._kernel}
            status = subprocess.run(["sh", "-c", command], env=environment).returncode
            return status, _read_report(report)
        finally:
            work.remove()


def _suite_command(suite: Suite, report: Path, pattern: str) -> str:
    words = ["/usr/bin/python3", str(suite.file), "--json", str(report)]
    if pattern:
        words += ["--filter", pattern]
    return "exec " + shlex.join(words) + " 2>&1"


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        return report
    except OSError:
        raise LabError("the suite ended without a report") from None


def _list() -> int:
    suites = all_suites()
    width = max(map(len, suites))
    for suite in suites.values():
        print(f"{suite.name:{width}}  {suite.summary}")
    return 0


def _chosen(names: list[str], everything: bool) -> list[Suite]:
    suites = all_suites()
    unknown = [name for name in names if name not in suites]
    if unknown:
        raise LookupError(f"there is no suite {unknown[0]!r}; scripts/lab --list names all")
    return list(suites.values()) if everything else [suites[name] for name in names]


def _run(arguments: argparse.Namespace, hosts: _EmulatedHosts | _ThisMachine) -> int:
    reports = []
    failed = False
    for suite in _chosen(arguments.suites, arguments.all):
        _say(f"lab: suite {suite.name} ...")
        status, report = hosts.run(suite, arguments.filter)
        failed = failed or status != 0
        reports.append(report)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(reports, indent=2) + "\n")
    return 1 if failed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab")
    parser.add_argument("what", choices=["list", "shell", "exec", "run"])
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("--command", default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--filter", default="")
    parser.add_argument("--rnic", default="rxe")
    parser.add_argument("--kernel", default="6.1")
    return parser.parse_args()


def _act(arguments: argparse.Namespace) -> int:
    if arguments.what == "list":
        return _list()
    if arguments.what == "run":
        _chosen(arguments.suites, arguments.all)
    hosts: _EmulatedHosts | _ThisMachine
    if machine_is_a_host(arguments.kernel):
        hosts = _ThisMachine(arguments.rnic, arguments.kernel)
    else:
        hosts = _EmulatedHosts(arguments.rnic, arguments.kernel)
    if arguments.what == "shell":
        return hosts.shell()
    if arguments.what == "exec":
        return hosts.execute(arguments.command)
    return _run(arguments, hosts)


def main() -> int:
    arguments = _parse()
    raise_on_signals()
    try:
        return _act(arguments)
    except LookupError as error:
        print(f"lab: {error.args[0]}", file=sys.stderr)
        return _USAGE
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("lab: interrupted, all is cleaned up", file=sys.stderr)
        return 128 + interrupted.signal_number


if __name__ == "__main__":
    sys.exit(main())
