# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The device is pulled out of a running guest and plugged in again, on the same socket."""

from __future__ import annotations

import os
import re
import signal
from unittest import mock

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.vm.guest import GuestOptions
from vrdma_lab.vm.monitor import Monitor, monitor_options


class PluggedGuest(LabTest):
    """A guest a whose device comes and goes, and a guest b that stays."""

    extra: tuple[str, ...]  # of guest a's QEMU
    properties = "id=rdma0"
    monitor: Monitor

    @classmethod
    def boot(cls) -> None:
        # Memory that QEMU frees and goes on using is not as it was: mallopt(3), M_PERTURB.
        cls.enterClassContext(mock.patch.dict(os.environ, MALLOC_PERTURB_="165"))
        path = cls.lab.folder / "monitor.sock"
        extra = [*cls.extra, *monitor_options(path)]
        cls.lab.boot([1], GuestOptions(device_options=cls.properties, extra=extra))
        cls.lab.boot([2])
        cls.monitor = Monitor(path)
        cls.addClassCleanup(cls.monitor.close)

    def plug(self, name: str, **properties: str) -> None:
        self.monitor.execute(
            "device_add", driver="vrdma-pci", chardev="vrdma0", id=name, **properties
        )

    def unplug(self, name: str) -> None:
        self.monitor.execute("device_del", id=name)
        self.monitor.wait_deleted(name)

    def assert_works(self) -> None:
        a, b = self.lab.guests
        a.wait_registered(PATIENCE)
        for guest in (a, b):
            guest.wait_device(PATIENCE)
        self.exchange(b, a)
        self.exchange(a, b)
        self.assertEqual(a.complaints(), "")


class Unplug(PluggedGuest):
    # The root bus of a PC takes devices while it runs; that of a Q35 does not.
    extra = ("-machine", "pc")

    def test_1_unplugged_under_a_program_and_plugged_in_again(self) -> None:
        a, b = self.lab.guests
        self.exchange(b, a)
        user = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0 -g {a.gid_index()}")
        user.wait_for("local address")

        self.unplug("rdma0")
        a.wait_registered(PATIENCE, False)
        self.lab.daemon.wait_status(
            lambda status: not any(status["vms"][0]["objects"].values()),
            "guest a holds nothing without its device",
        )
        user.signal(signal.SIGTERM)
        user.wait(PATIENCE)

        self.plug("rdma1")
        self.assert_works()

    def test_2_unplugged_while_the_daemon_is_away(self) -> None:
        a = self.lab.guests[0]
        self.lab.daemon.child.kill()
        a.wait_registered(PATIENCE, False)
        self.unplug("rdma1")
        self.lab.daemon.start_again()
        self.plug("rdma2")
        self.assert_works()

    def test_3_unplugged_while_the_driver_starts_the_device_again(self) -> None:
        self.lab.daemon.child.kill()
        self.lab.daemon.start_again()
        self.unplug("rdma2")
        self.lab.guests[0].wait_registered(PATIENCE, False)
        self.plug("rdma3")
        self.assert_works()

    def test_4_unplugged_and_plugged_in_at_once_again_and_again(self) -> None:
        """What holds the memory of the one before is not disturbed by the next one."""
        for number in range(3, 13):
            self.unplug(f"rdma{number}")
            self.plug(f"rdma{number + 1}")
        self.assert_works()


class PluggedBehindAPort(PluggedGuest):
    """A Q35, whose devices come to ports of PCI Express."""

    ports = ("taken", "empty", "wide,pref64-reserve=2G")
    extra = tuple(
        word
        for number, port in enumerate(ports, 1)
        for word in ("-device", f"pcie-root-port,chassis={number},id={port}")
    )
    properties = "id=rdma0,bus=taken"

    def test_a_port_without_room_is_named_and_its_advice_helps(self) -> None:
        self.assert_works()
        self.unplug("rdma0")
        a = self.lab.guests[0]
        a.wait_registered(PATIENCE, False)
        self.plug("rdma1", bus="empty")
        a.must("until dmesg | grep -q 'the shared memory region 1 has no'; do usleep 50000; done")
        advice = re.search(r"give the pcie-root-port (\S+?),", a.must("dmesg"))
        assert advice is not None, a.must("dmesg")
        self.assertIn(advice.group(1), self.ports[2])
        self.unplug("rdma1")
        self.plug("rdma2", bus="wide")
        self.assert_works()


if __name__ == "__main__":
    main()
