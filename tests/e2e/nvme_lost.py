# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The RNIC goes while the guests' kernels use it.

A file system on an NVMe disk is in the middle of writing.
"""

from __future__ import annotations

from pathlib import Path

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.machine.channel import Job
from vrdma_lab.programs.nvme import MODULES, NvmeDisk
from vrdma_lab.vm.guest import Guest, GuestOptions
from vrdma_lab.vm.monitor import Monitor, monitor_options

MIB = 24


class NvmeLost(LabTest):
    modules = (*MODULES, "ext4", "crc32c_generic")
    disk: NvmeDisk
    monitors: dict[Guest, Monitor]

    @classmethod
    def boot(cls) -> None:
        paths: list[Path] = []
        for number in (1, 2):
            paths.append(cls.lab.folder / f"monitor{number}.sock")
            # The root bus of a PC takes devices while it runs; that of a Q35 does not.
            extra = ["-machine", "pc", *monitor_options(paths[-1])]
            cls.lab.launch(number, GuestOptions(device_options="id=rdma0", extra=extra))
        cls.monitors = {}
        for guest, path in zip(cls.lab.guests, paths):
            guest.wait_booted()
            guest.wait_device()
            cls.monitors[guest] = Monitor(path)
            cls.addClassCleanup(cls.monitors[guest].close)
        cls.disk = NvmeDisk(*cls.lab.guests)
        cls.disk.serve(MIB)

    def write(self) -> Job:
        """Writes to a new file system, without end."""
        host = self.disk.host
        self.disk.connect()
        host.must(
            f"modprobe crc32c_generic && modprobe ext4 && mke2fs -b 4096 {self.disk.device} && "
            f"mkdir -p /tmp/m && mount -t ext4 {self.disk.device} /tmp/m",
            PATIENCE,
        )
        writer = host.start(
            "i=0; while dd if=/dev/zero of=/tmp/m/file bs=64k count=64 conv=fsync 2> /dev/null; "
            "do i=$((i + 1)); echo written $i; done"
        )
        writer.wait_for("written 2", PATIENCE)
        return writer

    def assert_ends(self, writer: Job) -> None:
        writer.wait(PATIENCE)
        self.disk.wait_gone()
        self.disk.host.must("umount /tmp/m", PATIENCE)

    def plug_out(self, guest: Guest) -> None:
        self.monitors[guest].execute("device_del", id="rdma0")
        self.monitors[guest].wait_deleted("rdma0")

    def plug_in(self, guest: Guest) -> None:
        self.monitors[guest].execute("device_add", driver="vrdma-pci", chardev="vrdma0", id="rdma0")
        guest.wait_registered(PATIENCE)
        guest.wait_device()

    def read(self) -> None:
        self.disk.connect()
        self.disk.host.must(f"dd if={self.disk.device} of=/dev/null bs=1M", PATIENCE)
        self.disk.disconnect()

    def test_1_it_is_unplugged_from_the_one_who_uses_the_disk(self) -> None:
        writer = self.write()
        self.plug_out(self.disk.host)
        self.assert_ends(writer)
        self.plug_in(self.disk.host)
        self.read()

    def test_2_it_is_unplugged_from_the_one_who_serves_it(self) -> None:
        writer = self.write()
        self.plug_out(self.disk.target)
        # The other guest would try to connect again for minutes.
        self.disk.disconnect()
        self.assert_ends(writer)
        self.plug_in(self.disk.target)
        # A target's port ends with its device.
        self.disk.stop_listening()
        self.disk.listen()
        self.read()

    def test_3_the_daemon_starts_again(self) -> None:
        """Linux deletes the host's disk and the target's listener, as with an adapter's removal."""
        writer = self.write()
        self.lab.daemon.child.kill()
        self.assert_ends(writer)
        self.lab.daemon.start_again()
        for guest in self.lab.guests:
            guest.wait_registered(PATIENCE)
            guest.wait_device()
        self.disk.stop_listening()
        self.disk.listen()
        self.read()

    def test_4_the_daemon_dies(self) -> None:
        writer = self.write()
        self.lab.daemon.child.process.kill()
        self.lab.daemon.child.process.wait()
        self.disk.target.must("rmmod vrdma", PATIENCE)
        # The host would try to connect again for minutes.
        self.disk.disconnect()
        self.assert_ends(writer)
        self.disk.host.must("rmmod vrdma", PATIENCE)

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
