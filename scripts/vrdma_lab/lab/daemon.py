# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""vrdmad as a child of the lab."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from vrdma_lab import paths
from vrdma_lab.children import Child
from vrdma_lab.errors import LabError
from vrdma_lab.machine.progress import INTERVAL, Patience
from vrdma_lab.network.overlay import mac_of

_STANDSTILLS = re.compile(r"the guests that were taken over stood still for ([\d.]+) ms")


class Daemon:
    """One vrdmad that serves guests by their numbers, each with a socket of its own."""

    def __init__(
        self,
        folder: Path,
        numbers: Iterable[int],
        options: list[str] | None = None,
        toml: str = "",
        rnic: str = "embedded",
        vms: Mapping[int, str] | None = None,
    ) -> None:
        """Starts vrdmad; `vms` has more lines for the [[vm]] tables of some guests."""
        numbers = tuple(numbers)
        self._folder = folder
        self._options = options or []
        self._status = folder / "status.sock"
        self._rnic = rnic
        self._vms = vms or {}
        self._numbers = numbers
        self._program = paths.daemon()
        self._write_configuration(toml)
        self.child = self._launch()
        self._wait_ready(numbers)

    def _write_configuration(self, toml: str) -> None:
        sockets = {number: self.socket_of(number) for number in self._numbers}
        text = configuration(self._status, self._rnic, sockets, toml, self._vms)
        (self._folder / "vrdmad.toml").write_text(text)

    def reload(self, toml: str) -> None:
        """Has vrdmad take `toml` in place of what it was started with (SIGHUP)."""
        self._write_configuration(toml)
        taken = "SIGHUP: the virtual machines and limits are those of"
        before = self.log().count(taken)
        self.child.process.send_signal(signal.SIGHUP)
        self._wait_until(lambda: self.log().count(taken) != before, "takes no limits", 30)

    def _wait_until(self, done: Callable[[], bool], problem: str, seconds: float) -> None:
        """Waits for what vrdmad does as long as it runs; otherwise it has this problem."""
        patience = Patience(seconds)
        while not done():
            self.child.check()
            if patience.over:
                raise LabError(
                    f"vrdmad {problem}, {patience.why()}; it said:\n{self.child.tail()}"
                )
            time.sleep(0.02)

    def _launch(self, *more: str) -> Child:
        program = self._program
        if not program.exists():
            raise LabError(f"{program} is not built")
        config = self._folder / "vrdmad.toml"
        return Child(
            "vrdmad",
            [str(program), "--config", str(config), "--control-socket", str(self.control_socket),
             *self._options, *more],
            self._folder / "vrdmad.log",
        )

    def start_again(self) -> None:
        """Starts vrdmad, which has ended, at the sockets that it left behind."""
        self.child = self._launch()
        self._wait_answers()

    def be_taken_over(self) -> float:
        """Has a vrdmad of another version take all guests over; for how many ms they stood still.

        The one after that is of the first version again.
        """
        before = self.child
        ours, other = paths.daemon(), paths.next_daemon()
        self._program = other if self._program == ours else ours
        already = len(self._standstills())
        self.child = self._launch("--take-over")
        self._wait_until(lambda: len(self._standstills()) != already, "takes nothing over", 60)
        before.process.wait()
        self._wait_answers()
        return self._standstills()[-1]

    def _standstills(self) -> list[float]:
        return [float(each) for each in _STANDSTILLS.findall(self.log())]

    def _wait_answers(self) -> None:
        patience = Patience(15)
        while True:
            self.child.check()
            try:
                self.status()
                return
            except (ConnectionRefusedError, FileNotFoundError):
                if patience.over:
                    raise LabError(
                        f"vrdmad does not answer again, {patience.why()}; "
                        f"it said:\n{self.child.tail()}"
                    ) from None
                time.sleep(0.02)

    @property
    def control_socket(self) -> Path:
        """The socket that vrdmactl asks."""
        return self._folder / "control.sock"

    def write_configuration(self, toml: str) -> None:
        """Has the file say `toml` in place of what it was started with; nobody reads it yet."""
        self._write_configuration(toml)

    def socket_of(self, number: int) -> Path:
        """The socket of a guest."""
        return self._folder / f"vm{number}.sock"

    def _wait_ready(self, numbers: tuple[int, ...]) -> None:
        wanted = [self._status] + [self.socket_of(number) for number in numbers]
        self._wait_until(
            lambda: all(path.exists() for path in wanted), f"made no socket {wanted}", 15
        )

    def status(self) -> dict[str, Any]:
        """The daemon's status."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(INTERVAL)
            connection.connect(str(self._status))
            text, patience = bytearray(), Patience(10)
            while True:
                try:
                    received = connection.recv(65536)
                except TimeoutError:
                    if patience.over:
                        raise LabError(f"vrdmad tells no status, {patience.why()}") from None
                    continue
                if not received:
                    status: dict[str, Any] = json.loads(text)
                    return status
                text += received

    def wait_status(
        self, condition: Callable[[dict[str, Any]], bool], what: str, timeout: float = 30
    ) -> dict[str, Any]:
        """The status, once the condition holds for it."""
        patience = Patience(timeout)
        while True:
            status = self.status()
            if condition(status):
                return status
            if patience.over:
                raise LabError(
                    f"not so, {patience.why()}: {what}; vrdmad says {json.dumps(status)}"
                )
            time.sleep(0.1)

    def log(self) -> str:
        """Everything that the daemon has logged."""
        return self.child.log.read_text(errors="replace")


def configuration(
    status: Path, rnic: str, sockets: Mapping[int, Path], toml: str, vms: Mapping[int, str]
) -> str:
    """vrdmad's configuration.

    `sockets` has the guests by their numbers; `toml` is put after the table of the RNIC, and what
    `vms` has for a guest at the end of that guest's table.
    """
    lines = ["[daemon]", f'status_socket = "{status}"', 'log_level = "info"']
    lines += ["[rnic]", f'name = "{rnic}"', toml]
    for number, socket_path in sockets.items():
        lines += ["[[vm]]", f'name = "{guest_name(number)}"', f'socket = "{socket_path}"']
        lines += [f'mac = "{mac_of(number)}"', vms.get(number, "")]
    return "\n".join(lines) + "\n"


def guest_name(number: int) -> str:
    """The name of a guest: a, b, c, ..."""
    return chr(ord("a") + number - 1)
