# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest whose virtqueues are packed rings."""

from __future__ import annotations

from support_py.e2e import LabTest, main
from vrdma_lab.programs.traffic import Exchange
from vrdma_lab.vm.guest import GuestOptions

VIRTIO_F_RING_PACKED = 34


class PackedRing(LabTest):
    @classmethod
    def boot(cls) -> None:
        guests = [cls.lab.launch(1, GuestOptions(device_options="packed=on")), cls.lab.launch(2)]
        for guest in guests:
            guest.wait_booted()

    def test_only_the_guest_that_asked_for_them_has_packed_rings(self) -> None:
        script = 'for d in /sys/bus/virtio/drivers/vrdma/virtio*; do cat "$d/features"; done'
        features = [guest.must(script).strip()[VIRTIO_F_RING_PACKED] for guest in self.lab.guests]
        self.assertEqual(features, ["1", "0"])

    def test_traffic_with_a_guest_that_has_split_rings(self) -> None:
        a, b = self.lab.guests
        for server, client in ((a, b), (b, a), (a, a)):
            for kind in ("rc", "ud", "srq"):
                self.exchange(
                    server, client, Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e"))
                )
        self.exchange(b, a, Exchange("ib_write_bw", 65536, 200))

    def test_the_driver_is_reloaded(self) -> None:
        a, b = self.lab.guests
        a.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        a.wait_device()
        self.exchange(b, a)


if __name__ == "__main__":
    main()
