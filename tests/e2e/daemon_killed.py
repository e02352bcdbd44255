# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The daemon dies under its guests, and comes back."""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support_py.e2e import PATIENCE, LabTest, main
from support_py.guest_program import send_program
from vrdma_lab.errors import LabError
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.channel import Job
from vrdma_lab.machine.progress import wait_until
from vrdma_lab.vm.guest import Guest, GuestOptions
from vrdma_lab.vm.monitor import Monitor, monitor_options

REGISTERS = "registers"
UNANSWERED = "vrdmad does not answer commands"


@contextmanager
def guest_memory(guest: Guest) -> Iterator[mmap.mmap]:
    """A guest's memory, which its QEMU has in a file."""
    for link in Path(f"/proc/{guest.qemu.process.pid}/fd").iterdir():
        if "memory-backend-memfd" in os.readlink(link):
            with link.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
                yield memory
            return
    raise LabError(f"guest {guest.name} has no memory in a file")


class DaemonKilled(LabTest):
    monitor: Monitor  # of the first guest

    @classmethod
    def boot(cls) -> None:
        path = cls.lab.folder / "monitor.sock"
        for number in (1, 2):
            extra = monitor_options(path) if number == 1 else []
            cls.lab.launch(number, GuestOptions(processors=4, extra=extra))
        for guest in cls.lab.guests:
            guest.wait_booted()
        cls.monitor = Monitor(path)
        cls.addClassCleanup(cls.monitor.close)

    def waiting_programs(self) -> list[Job]:
        """Two programs that sleep until completions come, of each other's messages."""
        a, b = self.lab.guests
        command = f"{LINE_BUFFERED} ibv_rc_pingpong -n 100000000 -e -d vrdma0 -g "
        server = a.start(f"{command} {a.gid_index()}")
        server.wait_for("local address", PATIENCE)
        client = b.start(f"{command} {b.gid_index()} {a.ip}")
        client.wait_for("remote address", PATIENCE)
        return [server, client]

    def kill_daemon(self) -> None:
        self.lab.daemon.child.kill()
        for guest in self.lab.guests:
            guest.wait_registered(PATIENCE, False)

    def assert_works(self) -> None:
        for guest in self.lab.guests:
            guest.wait_registered(PATIENCE)
            guest.wait_device()
        self.exchange(self.lab.guests[1], self.lab.guests[0])

    def test_1_its_users_end_and_the_device_comes_back_with_the_daemon(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        for _ in range(2):
            programs = self.waiting_programs()
            self.kill_daemon()
            for program in programs:
                program.wait(PATIENCE)
            self.assertFalse(b.run("ibv_rc_pingpong -d vrdma0 -g 0", PATIENCE).ok)
            self.lab.daemon.start_again()
            self.assert_works()

    def test_2_the_daemon_dies_again_while_the_device_starts(self) -> None:
        for _ in range(3):
            self.lab.daemon.child.kill()
            self.lab.daemon.start_again()
        self.assert_works()

    def test_3_the_driver_comes_and_goes_while_the_daemon_is_away(self) -> None:
        a = self.lab.guests[0]
        self.kill_daemon()
        for _ in range(2):
            a.must("rmmod vrdma", PATIENCE)
            a.must("insmod /lib/modules/vrdma.ko", PATIENCE)
        self.lab.daemon.start_again()
        self.assert_works()

    def stop_daemon(self) -> None:
        """Stops vrdmad, which keeps its sockets, as a host that swaps or a debugger does."""
        process = self.lab.daemon.child.process
        process.send_signal(signal.SIGSTOP)
        self.addCleanup(process.send_signal, signal.SIGCONT)

    def go_on(self) -> None:
        self.lab.daemon.child.process.send_signal(signal.SIGCONT)

    def registering(self, guest: Guest) -> Job:
        """A program that registers memory and releases it, without end."""
        job = guest.start(f"/tmp/{REGISTERS} vrdma0")
        job.wait_for("registers", PATIENCE)
        return job

    def test_4_programs_can_be_killed_while_the_daemon_is_stopped(self) -> None:
        a, b = self.lab.guests
        for guest in (a, b):
            send_program(guest, REGISTERS, ("ibverbs",))
        objects = [vm["objects"] for vm in self.lab.daemon.status()["vms"]]
        programs = self.waiting_programs()
        registering = [self.registering(guest) for guest in (a, a, b)]
        self.stop_daemon()
        # By their numbers: killall reads /proc, and waits for a program that is in mmap().
        for program in (*programs, *registering[:2]):
            program.kill(PATIENCE)
        self.go_on()
        # The daemon does what the programs left to it; nobody was cut off.
        registering[2].kill(PATIENCE)
        self.lab.daemon.wait_status(
            lambda status: [vm["objects"] for vm in status["vms"]] == objects, "all released"
        )
        self.assert_works()
        for guest in (a, b):
            self.assertNotIn(UNANSWERED, guest.must("dmesg"))

    def control_queue(self) -> dict[str, int]:
        """Where the first guest's driver has its control queue."""
        devices = self.monitor.execute("x-query-virtio")
        path = next(device["path"] for device in devices if device["name"] == "vrdma")
        queue: dict[str, int] = self.monitor.execute(
            "x-query-virtio-vhost-queue-status", path=path, queue=0
        )
        return queue

    def test_5_a_guest_that_gives_a_stopped_daemon_up_is_paused_until_it_lets_go(self) -> None:
        a, b = self.lab.guests
        for guest in (a, b):
            guest.must("echo 4 > /sys/module/vrdma/parameters/command_timeout")
        registering = self.registering(a)
        self.stop_daemon()
        unloading = b.start("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        self.wait_run_state("io-error")
        self.go_on()
        self.wait_run_state("running")
        registering.wait(PATIENCE)
        self.assertTrue(unloading.wait(PATIENCE).ok, unloading.output)
        self.assert_works()
        self.assertIn(UNANSWERED, a.must("dmesg"))

    def wait_run_state(self, state: str) -> None:
        """Waits until the first guest's QEMU is in a run state."""
        wait_until(
            lambda: bool(self.monitor.execute("query-status")["status"] == state), state, PATIENCE
        )

    def test_6_a_control_queue_that_is_given_up_comes_back(self) -> None:
        a = self.lab.guests[0]
        with guest_memory(a) as memory:
            queue = self.control_queue()
            # The index of the ring of available descriptors (virtio 1.2, 2.7.6).
            index = slice(queue["avail-phys"] + 2, queue["avail-phys"] + 4)
            before = memory[index]
            self.stop_daemon()
            program = a.start("ibv_devinfo -d vrdma0")
            wait_until(lambda: memory[index] != before, "a command in the control queue")
            # Buffers where the guest has no memory.  The driver itself looks at the flags again.
            for offset in range(0, queue["desc-size"], 16):
                memory.seek(queue["desc-phys"] + offset)
                memory.write(b"\xf0" * 8)
            self.go_on()
        self.assertFalse(program.wait(PATIENCE).ok)
        self.assert_works()
        self.assertIn("the device failed", a.must("dmesg"))

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertTrue(guest.qemu.running)
            self.assertNotRegex(guest.must("dmesg"), r"BUG:|WARNING:|Oops|blocked for more")


if __name__ == "__main__":
    main()
