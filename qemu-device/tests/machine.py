# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
"""QEMU with the vrdma device and a guest that obeys the test."""
from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from patience import Patience, receive, run_to_end

# PCI (the rest of the numbers: virtio 1.2, 4.1.4)
PCI_VENDOR_DEVICE = 0x106A1AF4          # 0x1040 + 42
CAP_COMMON, CAP_NOTIFY, CAP_ISR, CAP_DEVICE, CAP_SHARED_MEMORY = 1, 2, 3, 4, 8
STATUS_ACKNOWLEDGE, STATUS_DRIVER, STATUS_DRIVER_OK, STATUS_FEATURES_OK = 1, 2, 4, 8
STATUS_NEEDS_RESET = 64
ISR_QUEUE, ISR_CONFIG = 1, 2
ACPI_PCI_EJECT = 0xAE08
GREETING = 0x61647276                   # guest.c
RING_AREA = 0x1000000                   # guest memory that nothing else uses


class QemuFailed(Exception):
    """QEMU ended by itself; the text is what it said."""


class Qemu:
    """One QEMU and how to start it with the device."""

    def __init__(self, build: str, binary: str, data: Sequence[str] = ()) -> None:
        self.build = build
        self.command = [binary]
        for folder in data:
            self.command += ["-L", folder]
        self.shim = f"{build}/libvrdma-qemu-preload.so"
        self.environment = dict(os.environ, LD_PRELOAD=self.shim)
        self.environment.pop("VRDMA_QEMU_DIR", None)
        words = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True)
        version = re.search(r"version (\d+\.\d+\.\d+)", words.stdout)
        assert version is not None, words.stdout
        self.full_version = version[1]
        self.version = self.full_version.rsplit(".", 1)[0]
        self.module = f"{build}/vrdma-qemu-{self.version}.so"


class MemoryRegion(dict[str, int]):
    """One mapping of a process: its figures of /proc/PID/smaps, in kilobytes."""
    accounted: bool     # for vm.overcommit_memory=2


class Machine:
    """One QEMU process.  device: the -device argument, or None."""

    def __init__(self, qemu: Qemu, folder: str, device: str | None, *arguments: str,
                 kernel: str | None = None, shared_memory: bool = True,
                 main_memory: bool = True, chardev: str | None = None,
                 environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.kernel = kernel
        memory = "memory-backend-memfd,share=on" if shared_memory else "memory-backend-ram"
        command = [
            *qemu.command, "-M", "pc", "-accel", "tcg,tb-size=16", "-m", "64", "-display", "none",
            "-nodefaults", "-vga", "none", "-net", "none", "-no-user-config",
            "-chardev", f"socket,id=qmp,path={folder}/qmp,server=on,wait=off",
            "-mon", "chardev=qmp,mode=control"]
        if main_memory:
            command += ["-object", f"{memory},id=mem,size=64M", "-machine", "memory-backend=mem"]
        if chardev:
            command += ["-chardev", chardev]
        command += arguments
        if device:
            command += ["-device", device]
        if kernel:
            command += ["-kernel", kernel, "-chardev",
                        f"socket,id=com1,path={folder}/com1,server=on,wait=on",
                        "-serial", "chardev:com1"]
        self.process = subprocess.Popen(command, env=environment or qemu.environment, cwd=folder,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        try:
            if kernel:
                self.serial = self._connect("com1")
                self.wait_boot()
            self._connect_monitor()
        except BaseException:
            self.close()
            raise

    def _connect(self, name: str) -> socket.socket:
        """The socket appears when QEMU is ready for it."""
        sock = socket.socket(socket.AF_UNIX)
        patience = Patience()
        while True:
            try:
                sock.connect(f"{self.folder}/{name}")
                return sock
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None:
                    raise QemuFailed(self._words()) from None
                if patience.over:
                    raise
                time.sleep(0.01)

    def _words(self) -> str:
        """What QEMU said, once it has ended."""
        return run_to_end(self.process)

    # The monitor.

    def _connect_monitor(self) -> None:
        self.monitor = self._connect("qmp")
        self._monitor_said = b""
        try:
            json.loads(self._monitor_line() or "null")
            self.qmp("qmp_capabilities")
        except (ConnectionError, TypeError):
            raise QemuFailed(self._words()) from None

    def _monitor_line(self) -> bytes:
        """A line of the monitor; empty at its end."""
        while b"\n" not in self._monitor_said:
            more = receive(self.monitor, 65536)
            if not more:
                return b""
            self._monitor_said += more
        line, _, self._monitor_said = self._monitor_said.partition(b"\n")
        return line

    def qmp(self, command: str, **arguments: Any) -> Any:
        request = json.dumps({"execute": command, "arguments": arguments}) + "\n"
        self.monitor.sendall(request.encode())
        while True:
            line = self._monitor_line()
            if not line:
                raise ConnectionError("the monitor is gone")
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QemuFailed(answer["error"]["desc"])

    def hmp(self, line: str) -> str:
        words: str = self.qmp("human-monitor-command", **{"command-line": line})
        return words

    def wait_for_event(self, name: str) -> None:
        while json.loads(self._monitor_line()).get("event") != name:
            pass

    def quit(self) -> tuple[int, str]:
        """Ends QEMU as a user would; returns its exit status and its words."""
        try:
            self.qmp("quit")
        except ConnectionError:
            pass
        output = run_to_end(self.process)
        return self.process.returncode, output

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        for name in ("serial", "monitor"):
            if hasattr(self, name):
                getattr(self, name).close()

    # The guest's side.

    def _number(self) -> int:
        data = b""
        while len(data) < 4:
            part = receive(self.serial, 4 - len(data))
            if not part:
                raise QemuFailed(self._words())
            data += part
        return int.from_bytes(data, "little")

    def _begin(self, operation: int, size: int, address: int, *value: int) -> None:
        self.serial.sendall(struct.pack("<B" + "I" * (1 + len(value)), operation << 4 | size,
                                        address, *value))

    def _command(self, operation: int, size: int, address: int, *value: int) -> int:
        self._begin(operation, size, address, *value)
        return self._number()

    def read(self, address: int, size: int = 4) -> int:
        return self._command(1, size, address)

    def write(self, address: int, value: int, size: int = 4) -> None:
        self._command(2, size, address, value)

    def begin_write(self, address: int, value: int, size: int = 4) -> None:
        """A write that the guest may not come back from soon; finish() waits until it does."""
        self._begin(2, size, address, value)

    def begin_port_write(self, port: int, value: int) -> None:
        self._begin(4, 4, port, value)

    def finish(self) -> None:
        self._number()

    def wait_boot(self) -> None:
        """Waits until the guest has started."""
        assert self._number() == GREETING

    def port_read(self, port: int) -> int:
        return self._command(3, 4, port)

    def port_write(self, port: int, value: int) -> None:
        self._command(4, 4, port, value)

    def pci_read(self, slot: int, offset: int) -> int:
        self.port_write(0xCF8, 0x80000000 | slot << 11 | offset & ~3)
        return self.port_read(0xCFC)

    def pci_write(self, slot: int, offset: int, value: int) -> None:
        self.port_write(0xCF8, 0x80000000 | slot << 11 | offset)
        self.port_write(0xCFC, value)

    def find_device(self) -> Device:
        for slot in range(64):          # of the first two buses
            if self.pci_read(slot, 0) == PCI_VENDOR_DEVICE:
                return Device(self, slot)
        raise AssertionError("the guest sees no vrdma device")

    # Facts from /proc.

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def address_space(self) -> int:
        """In bytes."""
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    def memory_regions(self, name: str) -> list[MemoryRegion]:
        """The kernel's mappings of the file `name`."""
        regions = []
        with open(f"/proc/{self.process.pid}/smaps") as smaps:
            for line in smaps:
                word, _, rest = line.partition(" ")
                if not word.endswith(":"):
                    region = MemoryRegion()
                    if name in rest:
                        regions.append(region)
                elif word == "VmFlags:":
                    region.accounted = " ac" in rest
                elif rest.endswith(" kB\n"):
                    region[word[:-1]] = int(rest[:-3])
        return regions

    def mappings_of_memfd(self, name: str) -> int:
        with open(f"/proc/{self.process.pid}/maps") as maps:
            return sum(f"/memfd:{name}" in line for line in maps)


class Device:
    """The vrdma device as a driver sees it."""

    def __init__(self, machine: Machine, slot: int) -> None:
        self.machine = machine
        self.slot = slot
        machine.pci_write(slot, 4, machine.pci_read(slot, 4) | 6)
        self.capabilities = self._find_capabilities()
        self.common = self._address(CAP_COMMON)
        self.isr = self._address(CAP_ISR)
        self.config = self._address(CAP_DEVICE)
        self.shm = self._address(CAP_SHARED_MEMORY)

    def _bar(self, bar: int) -> int:
        return self.machine.pci_read(self.slot, 0x10 + 4 * bar) & ~0xF

    def _find_capabilities(self) -> dict[int, tuple[int, list[int]]]:
        found: dict[int, tuple[int, list[int]]] = {}
        position = self.machine.pci_read(self.slot, 0x34) & 0xFF
        while position:
            words = [self.machine.pci_read(self.slot, position + 4 * i) for i in range(6)]
            if words[0] & 0xFF == 9:
                found.setdefault(words[0] >> 24, (position, words))
            position = words[0] >> 8 & 0xFF
        return found

    def _address(self, kind: int) -> int:
        words = self.capabilities[kind][1]
        return self._bar(words[1] & 0xFF) + words[2]

    @property
    def shm_id_and_size(self) -> tuple[int, int]:
        words = self.capabilities[CAP_SHARED_MEMORY][1]
        return words[1] >> 8 & 0xFF, words[3] | words[5] << 32

    @property
    def status(self) -> int:
        return self.machine.read(self.common + 0x14, 1)

    @status.setter
    def status(self, value: int) -> None:
        self.machine.write(self.common + 0x14, value, 1)

    def reset(self) -> None:
        self.status = 0

    def begin_reset(self) -> None:
        """As reset(), but the guest may stand still meanwhile; machine.finish() ends it."""
        self.machine.begin_write(self.common + 0x14, 0, 1)

    def queue_count(self) -> int:
        return self.machine.read(self.common + 0x12, 2)

    def take_interrupts(self) -> int:
        return self.machine.read(self.isr, 1)

    def read_config(self, offset: int, size: int = 4) -> int:
        return self.machine.read(self.config + offset, size)

    def offered_features(self) -> int:
        features = 0
        for half in (0, 1):
            self.machine.write(self.common, half)
            features |= self.machine.read(self.common + 4) << 32 * half
        return features

    def start(self, features: int | None = None) -> None:
        """What a driver does, up to DRIVER_OK, with every queue in use."""
        machine = self.machine
        self.reset()
        self.status = STATUS_ACKNOWLEDGE | STATUS_DRIVER
        features = self.offered_features() if features is None else features
        for half in (0, 1):
            machine.write(self.common + 8, half)
            machine.write(self.common + 0xC, features >> 32 * half & 0xFFFFFFFF)
        self.status |= STATUS_FEATURES_OK
        assert self.status & STATUS_FEATURES_OK
        for queue in range(self.queue_count()):
            area = RING_AREA + queue * 0x4000
            machine.write(self.common + 0x16, queue, 2)
            machine.write(self.common + 0x20, area)
            machine.write(self.common + 0x28, area + 0x1000)
            machine.write(self.common + 0x30, area + 0x2000)
            machine.write(self.common + 0x1C, 1, 2)
        self.status |= STATUS_DRIVER_OK

    def notify(self, queue: int) -> None:
        machine = self.machine
        machine.write(self.common + 0x16, queue, 2)
        offset = machine.read(self.common + 0x1E, 2)
        position, _ = self.capabilities[CAP_NOTIFY]
        multiplier = machine.pci_read(self.slot, position + 16)
        machine.write(self._address(CAP_NOTIFY) + offset * multiplier, queue, 2)

    def begin_eject(self) -> None:
        """As eject(), but the guest may stand still meanwhile; machine.finish() ends it."""
        self.machine.begin_port_write(ACPI_PCI_EJECT, 1 << self.slot)

    def eject(self) -> None:
        """What a guest's ACPI code does when the host asks for the device."""
        self.machine.port_write(ACPI_PCI_EJECT, 1 << self.slot)
