# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
"""The device as its guest and its backend see it."""
from __future__ import annotations

import os
import select
import shutil
import struct
import tempfile
import threading
import unittest
from collections.abc import Callable
from typing import Any

from fake_backend import (BACKEND_CONFIG_CHANGE, NEED_REPLY, STATUS_FAILED, STATUS_READY,
                          FakeBackend, make_config)
from machine import ISR_CONFIG, ISR_QUEUE, STATUS_NEEDS_RESET, Device, Machine, Qemu, QemuFailed
from patience import wait_until

EINVAL, ENOENT, EEXIST, ENODEV, EBADF, EOPNOTSUPP = 22, 2, 17, 19, 9, 95
PAGE = 0x1000
SHM = 64 << 20
VIRTIO_F_VERSION_1, VIRTIO_F_RING_PACKED = 1 << 32, 1 << 34
CONFIG_NUM_COMP_VECTORS, CONFIG_SHM_SIZE, CONFIG_MAX_QP, CONFIG_STATUS = 30, 32, 40, 56


class DeviceCase(unittest.TestCase):
    qemu: Qemu      # set by run
    guest: str
    shm_size = "64M"
    device_options = ""
    backend_options: dict[str, Any] = {}
    machine_arguments: list[str] = []
    main_memory = True

    backend: FakeBackend
    machine: Machine
    device: Device
    device_argument: str

    def setUp(self) -> None:
        self.start_machine(self, self.addCleanup)

    @classmethod
    def start_machine(cls, target: Any, add_cleanup: Callable[..., Any]) -> None:
        """Gives target, a case or a class of them, a guest with a device and its backend."""
        folder = tempfile.mkdtemp(prefix="vrdma-qemu-dev.")
        add_cleanup(shutil.rmtree, folder)
        target.backend = FakeBackend(f"{folder}/backend", **cls.backend_options)
        add_cleanup(target.backend.listener.close)
        target.device_argument = (f"vrdma-pci,id=v0,chardev=r,shm-size={cls.shm_size}"
                                  f"{cls.device_options}")
        target.machine = Machine(
            cls.qemu, folder, target.device_argument, *cls.machine_arguments, kernel=cls.guest,
            main_memory=cls.main_memory,
            chardev=f"socket,id=r,path={folder}/backend{cls.chardev_options()}")
        add_cleanup(target.machine.close)
        target.device = target.machine.find_device()

    @classmethod
    def chardev_options(cls) -> str:
        return ""

    def file(self, content: bytes = b"", size: int = 1 << 20, name: str = "vrdma-test") -> int:
        fd = os.memfd_create(name)
        self.addCleanup(os.close, fd)
        os.ftruncate(fd, size)
        os.pwrite(fd, content, 0)
        return fd

    def start_device(self) -> None:
        """SET_VRING_ENABLE has no answer, so the device may be ready before its backend."""
        self.device.start()
        queues = set(range(self.device.queue_count()))
        self.backend.wait_for(lambda: self.backend.enabled == queues, "its queues")

    def guest_reads(self, offset: int) -> int:
        return self.machine.read(self.device.shm + offset)

    def guest_writes(self, offset: int, value: int) -> None:
        self.machine.write(self.device.shm + offset, value)


class SharedMemory(DeviceCase):
    """One guest for all of these; each finds the shared memory region as a reset leaves it."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.start_machine(cls, cls.addClassCleanup)

    def setUp(self) -> None:
        self.device.reset()

    def test_the_guest_finds_it_as_shared_memory_region_1(self) -> None:
        self.assertEqual(self.device.shm_id_and_size, (1, SHM))

    def test_the_backend_is_told_its_size(self) -> None:
        self.assertEqual(self.backend.shm_size, SHM)

    def test_it_reads_as_zero_where_nothing_is_mapped(self) -> None:
        self.assertEqual(self.guest_reads(0), 0)
        self.assertEqual(self.guest_reads(SHM - 4), 0)

    def test_guest_and_backend_share_what_is_mapped(self) -> None:
        fd = self.file(b"\0" * PAGE + b"\x78\x56\x34\x12")
        self.assertEqual(self.backend.channel.map(0x5000, PAGE, [fd], fd_offset=PAGE), 0)
        self.assertEqual(self.guest_reads(0x5000), 0x12345678)
        self.guest_writes(0x5004, 0xCAFEBABE)
        self.assertEqual(os.pread(fd, 4, PAGE + 4), b"\xbe\xba\xfe\xca")

    def test_an_unmapped_range_reads_as_zero_again(self) -> None:
        fd = self.file(b"\xff" * PAGE)
        self.backend.channel.map(0x5000, PAGE, [fd])
        self.assertEqual(self.guest_reads(0x5000), 0xFFFFFFFF)
        self.assertEqual(self.backend.channel.unmap(0x5000, PAGE), 0)
        self.assertEqual(self.guest_reads(0x5000), 0)
        self.assertEqual(self.machine.mappings_of_memfd("vrdma-test"), 0)

    def test_an_unmapped_range_can_be_mapped_again(self) -> None:
        channel = self.backend.channel
        channel.map(0x5000, PAGE, [self.file(b"old!")])
        channel.unmap(0x5000, PAGE)
        self.assertEqual(channel.map(0x4000, 2 * PAGE, [self.file(b"new!" * PAGE)]), 0)
        self.assertEqual(self.guest_reads(0x5000), int.from_bytes(b"new!", "little"))

    def test_a_read_only_mapping_can_be_read(self) -> None:
        fd = self.file(b"\x01\0\0\0")
        readable = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
        self.addCleanup(os.close, readable)
        self.assertEqual(self.backend.channel.map(0, PAGE, [readable], writable=False), 0)
        self.assertEqual(self.guest_reads(0), 1)

    def test_overlapping_mappings_are_refused(self) -> None:
        channel, fd = self.backend.channel, self.file(b"\x2a")
        self.assertEqual(channel.map(0x4000, 4 * PAGE, [fd]), 0)
        for offset, pages in ((0x4000, 4), (0x3000, 2), (0x7000, 2), (0x5000, 1), (0x3000, 6)):
            self.assertEqual(channel.map(offset, pages * PAGE, [fd]), EEXIST, hex(offset))
        self.assertEqual(self.guest_reads(0x4000), 0x2A)
        self.assertEqual(channel.map(0x3000, PAGE, [fd]), 0)
        self.assertEqual(channel.map(0x8000, PAGE, [fd]), 0)

    def test_ranges_outside_of_the_shared_memory_are_refused(self) -> None:
        channel, fd = self.backend.channel, self.file(size=2 * SHM)
        for offset, length in ((SHM, PAGE), (SHM - PAGE, 2 * PAGE), (0, SHM + PAGE),
                               (2**64 - PAGE, 2 * PAGE), (PAGE, 2**64 - PAGE), (0, 0)):
            self.assertEqual(channel.map(offset, length, [fd]), EINVAL, (hex(offset), hex(length)))
        self.assertEqual(channel.map(SHM - PAGE, PAGE, [fd]), 0)

    def test_ranges_that_are_not_whole_pages_are_refused(self) -> None:
        channel, fd = self.backend.channel, self.file()
        self.assertEqual(channel.map(0x800, PAGE, [fd]), EINVAL)
        self.assertEqual(channel.map(0, PAGE + 4, [fd]), EINVAL)
        self.assertEqual(channel.map(0, PAGE, [fd], fd_offset=8), EINVAL)

    def test_ranges_beyond_the_end_of_the_file_are_refused(self) -> None:
        channel, fd = self.backend.channel, self.file(size=PAGE)
        self.assertEqual(channel.map(0, 2 * PAGE, [fd]), EINVAL)
        self.assertEqual(channel.map(0, PAGE, [fd], fd_offset=PAGE), EINVAL)
        self.assertEqual(channel.map(0, PAGE, [fd], fd_offset=2**64 - PAGE), EINVAL)

    def test_another_region_than_the_shared_memory_is_refused(self) -> None:
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file()], shmid=0), EINVAL)

    def test_a_map_request_without_a_file_is_refused(self) -> None:
        self.assertEqual(self.backend.channel.map(0, PAGE, []), EBADF)

    def test_a_file_that_cannot_be_mapped_leaves_the_shared_memory_whole(self) -> None:
        source, sink = os.pipe()
        self.addCleanup(os.close, source)
        self.addCleanup(os.close, sink)
        self.assertEqual(self.backend.channel.map(0, PAGE, [source], writable=False),
                         ENODEV)
        self.guest_writes(0, 7)
        self.assertEqual(self.guest_reads(0), 7)
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file(b"\x09")]), 0)
        self.assertEqual(self.guest_reads(0), 9)

    def test_only_a_whole_mapping_can_be_unmapped(self) -> None:
        channel = self.backend.channel
        channel.map(0x4000, 2 * PAGE, [self.file(b"\x05")])
        self.assertEqual(channel.unmap(0x4000, PAGE), ENOENT)
        self.assertEqual(channel.unmap(0x5000, PAGE), ENOENT)
        self.assertEqual(channel.unmap(0, PAGE), ENOENT)
        self.assertEqual(self.guest_reads(0x4000), 5)

    def test_an_unknown_request_is_refused_and_the_next_one_is_served(self) -> None:
        self.assertEqual(self.backend.channel.request(77, b"12345678"), EOPNOTSUPP)
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file()]), 0)

    def test_a_request_with_a_payload_of_the_wrong_size_is_refused(self) -> None:
        self.assertEqual(self.backend.channel.request(9, b"short", [self.file()]), EINVAL)

    def test_descriptors_are_closed_whatever_becomes_of_the_request(self) -> None:
        fd = self.file()
        before = self.machine.open_files()
        for _ in range(10):
            self.backend.channel.map(0, PAGE, [fd, fd, fd])
            self.backend.channel.map(1, PAGE, [fd])
            self.backend.channel.request(77, b"", [fd])
            self.backend.channel.map(0, PAGE, [fd])
        self.assertEqual(self.machine.open_files(), before)

    def test_a_thousand_mappings_change_no_memory_region(self) -> None:
        before = self.machine.hmp("info mtree -f")
        fd = self.file(b"".join(struct.pack("<I", i).ljust(PAGE, b"\0") for i in range(256)))
        for i in range(1000):
            self.assertEqual(self.backend.channel.map(2 * i * PAGE, PAGE, [fd],
                                                      fd_offset=i % 256 * PAGE), 0)
        self.assertEqual(self.guest_reads(2 * 999 * PAGE), 999 % 256)
        self.assertEqual(self.guest_reads(1 * PAGE), 0)
        self.assertEqual(self.machine.hmp("info mtree -f"), before)

    def test_mappings_that_come_and_go_beside_it_do_not_disturb_the_guest(self) -> None:
        channel, fd = self.backend.channel, self.file(b"\x11")
        channel.map(0x8000, PAGE, [self.file(b"\x22")])

        def come_and_go() -> None:
            for _ in range(500):
                assert channel.map(0x7000, PAGE, [fd]) == 0
                assert channel.unmap(0x7000, PAGE) == 0
        traffic = threading.Thread(target=come_and_go)
        traffic.start()
        beside, seen = set(), set()
        while traffic.is_alive():
            beside.add(self.guest_reads(0x7000))
            seen.add(self.guest_reads(0x8000))
        traffic.join()
        self.assertEqual(seen, {0x22})
        self.assertLessEqual(beside, {0, 0x11})

    def test_the_shared_memory_is_no_part_of_the_guest_memory_that_the_backend_gets(self) -> None:
        self.start_device()
        tables = [m.payload for m in self.backend.log if m.name == "SET_MEM_TABLE"]
        regions, _ = struct.unpack("<II", tables[-1][:8])
        for i in range(regions):
            address, size = struct.unpack("<QQ", tables[-1][8 + 32 * i:24 + 32 * i])
            self.assertFalse(address <= self.device.shm < address + size)


class LockedMemory(DeviceCase):
    """All memory of QEMU is locked: what nothing is mapped to is none."""
    machine_arguments = ["-overcommit", "mem-lock=on"]
    shm_size = "1G"

    def assert_spare_memory(self, kilobytes: int) -> None:
        regions = self.machine.memory_regions("/memfd:vrdma-shm")
        self.assertEqual(len(regions), 1)
        for region in regions:
            self.assertEqual(region["Rss"], kilobytes)
            self.assertEqual(region["Locked"], 0)
            self.assertFalse(region.accounted)

    def test_the_shared_memory_costs_nothing(self) -> None:
        self.assert_spare_memory(0)
        self.start_device()
        self.backend.channel.map(0, PAGE, [self.file()])
        self.backend.channel.unmap(0, PAGE)
        self.assert_spare_memory(0)

    def test_what_the_guest_writes_costs_its_page_until_the_reset(self) -> None:
        self.guest_writes(0x5000, 7)
        self.assert_spare_memory(PAGE >> 10)
        self.assertEqual(self.guest_reads(0x5000), 7)
        self.assertEqual(self.guest_reads(0x6000), 0)
        self.device.reset()
        self.assert_spare_memory(0)
        self.assertEqual(self.guest_reads(0x5000), 0)

    def test_what_the_guest_wrote_is_gone_once_something_was_mapped(self) -> None:
        self.guest_writes(0x5000, 7)
        self.backend.channel.map(0x5000, PAGE, [self.file()])
        self.backend.channel.unmap(0x5000, PAGE)
        self.assertEqual(self.guest_reads(0x5000), 0)

    def test_what_is_mapped_is_not_locked_either(self) -> None:
        self.backend.channel.map(0x5000, PAGE, [self.file()])
        region, = self.machine.memory_regions("/memfd:vrdma-test")
        self.assertEqual(region["Locked"], 0)


class BrokenChannel(DeviceCase):
    def test_a_malformed_request_ends_the_channel_but_not_qemu(self) -> None:
        channel = self.backend.channel
        channel.socket.sendall(struct.pack("<III", 9, 1 | NEED_REPLY, 1 << 30))
        self.assertEqual(channel.socket.recv(1), b"")
        self.assertEqual(self.machine.qmp("query-status")["running"], True)


class Virtio(DeviceCase):
    def test_the_queues_are_control_event_doorbell_and_two_completion_virtqueues(self) -> None:
        self.assertEqual(self.device.queue_count(), 5)

    def test_features_are_those_of_the_backend_without_packed_rings(self) -> None:
        self.assertEqual(self.device.offered_features(),
                         self.backend.features & ~VIRTIO_F_RING_PACKED)

    def test_the_configuration_is_the_backends_with_this_devices_vectors_and_shared_memory(
            self) -> None:
        self.assertEqual(self.device.read_config(0), 1)
        self.assertEqual(self.device.read_config(CONFIG_MAX_QP), 100)
        self.assertEqual(self.device.read_config(CONFIG_NUM_COMP_VECTORS, 2), 2)
        self.assertEqual(self.device.read_config(CONFIG_SHM_SIZE), SHM)

    def test_driver_ok_hands_all_queues_to_the_backend(self) -> None:
        self.start_device()
        self.assertEqual(set(self.backend.addresses), {0, 1, 2, 3, 4})
        self.assertEqual(self.backend.acked_features & ~(1 << 30),
                         self.device.offered_features())

    def test_a_notification_reaches_the_backend(self) -> None:
        self.start_device()
        self.device.notify(2)
        ready, _, _ = select.select([self.backend.kicks[2]], [], [], 20)
        self.assertEqual(ready, [self.backend.kicks[2]])

    def test_a_call_of_the_backend_interrupts_the_guest(self) -> None:
        self.start_device()
        self.device.take_interrupts()
        os.write(self.backend.calls[3], struct.pack("<Q", 1))
        wait_until(lambda: self.device.take_interrupts() & ISR_QUEUE, "the interrupt")

    def test_a_change_of_the_configuration_interrupts_the_guest(self) -> None:
        self.start_device()
        self.device.take_interrupts()
        self.backend.config = bytearray(make_config(max_qp=200))
        self.assertEqual(self.backend.channel.request(BACKEND_CONFIG_CHANGE), 0)
        wait_until(lambda: self.device.take_interrupts() & ISR_CONFIG, "the interrupt")
        self.assertEqual(self.device.read_config(CONFIG_MAX_QP), 200)
        self.assertEqual(self.device.read_config(CONFIG_NUM_COMP_VECTORS, 2), 2)

    def test_a_backend_that_fails_has_the_guest_reset_the_device(self) -> None:
        self.start_device()
        self.device.take_interrupts()
        self.backend.config = bytearray(make_config(status=STATUS_READY | STATUS_FAILED))
        self.assertEqual(self.backend.channel.request(BACKEND_CONFIG_CHANGE), 0)
        wait_until(lambda: self.device.take_interrupts() & ISR_CONFIG, "the interrupt")
        self.assertTrue(self.device.status & STATUS_NEEDS_RESET)
        self.assertEqual(self.device.read_config(CONFIG_STATUS), STATUS_READY | STATUS_FAILED)
        self.backend.config = bytearray(make_config())
        self.start_device()
        self.assertFalse(self.device.status & STATUS_NEEDS_RESET)
        self.assertEqual(self.device.read_config(CONFIG_STATUS), STATUS_READY)

    def test_a_backend_that_waits_for_its_rnic_is_not_ready(self) -> None:
        self.start_device()
        self.device.take_interrupts()
        for status in (0, STATUS_READY):
            self.backend.config = bytearray(make_config(status=status))
            self.assertEqual(self.backend.channel.request(BACKEND_CONFIG_CHANGE), 0)
            wait_until(lambda: self.device.take_interrupts() & ISR_CONFIG, "the interrupt")
            self.assertEqual(self.device.read_config(CONFIG_STATUS), status)

    def test_a_queue_that_the_backend_gives_up_makes_the_device_need_a_reset(self) -> None:
        self.start_device()
        self.device.take_interrupts()
        os.write(self.backend.errors[0], (1).to_bytes(8, "little"))
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")
        self.assertTrue(self.device.take_interrupts() & ISR_CONFIG)
        self.device.reset()
        self.start_device()
        self.assertFalse(self.device.status & STATUS_NEEDS_RESET)

    def test_a_reset_by_the_driver_resets_the_backend_and_empties_the_shared_memory(self) -> None:
        self.start_device()
        self.backend.channel.map(0, PAGE, [self.file(b"\xff" * PAGE)])
        resets = self.backend.names().count("RESET_DEVICE")
        self.device.reset()
        self.assertEqual(self.backend.names().count("RESET_DEVICE"), resets + 1)
        self.assertEqual(self.guest_reads(0), 0)
        self.assertEqual(self.machine.mappings_of_memfd("vrdma-test"), 0)
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file()]), 0)

    def test_a_backend_may_unmap_while_it_is_being_reset(self) -> None:
        self.start_device()
        self.backend.channel.map(0, PAGE, [self.file()])
        answers = []
        self.backend.on_reset = lambda backend: answers.append(backend.channel.unmap(0, PAGE))
        self.device.reset()
        self.assertEqual(answers, [0])

    def test_stop_and_continue_keep_the_shared_memory_and_the_backends_objects(self) -> None:
        self.start_device()
        self.backend.channel.map(0, PAGE, [self.file(b"\x2b")])
        resets = self.backend.names().count("RESET_DEVICE")
        self.machine.qmp("stop")
        self.assertEqual(self.backend.kicks, {})
        self.machine.qmp("cont")
        self.backend.wait_for(lambda: len(self.backend.kicks) == 5, "its queues")
        self.assertEqual(self.backend.names().count("RESET_DEVICE"), resets)
        self.assertEqual(self.guest_reads(0), 0x2B)

    def test_a_guest_with_the_device_cannot_be_migrated(self) -> None:
        with self.assertRaisesRegex(Exception, "(?i)migrat"):
            self.machine.qmp("migrate", uri="exec:cat > /dev/null")

    def test_the_monitor_shows_its_status(self) -> None:
        self.start_device()
        words = self.machine.hmp("info virtio-status /machine/peripheral/v0/virtio-backend")
        self.assertIn("vrdma", words)

    def test_qemu_quits_cleanly_with_the_device_in_use(self) -> None:
        self.start_device()
        self.backend.channel.map(0, PAGE, [self.file()])
        status, _ = self.machine.quit()
        self.assertEqual(status, 0)


class Options(DeviceCase):
    device_options = ",comp-vectors=9,packed=on"

    def test_comp_vectors_sets_queues_and_vectors(self) -> None:
        self.assertEqual(self.device.queue_count(), 12)
        self.assertEqual(self.device.read_config(CONFIG_NUM_COMP_VECTORS, 2), 9)

    def test_packed_rings_are_offered_on_demand(self) -> None:
        self.assertTrue(self.device.offered_features() & VIRTIO_F_RING_PACKED)


class OldNames(DeviceCase):
    device_options = ",completion-queues=9"

    def test_completion_queues_is_another_name_of_comp_vectors(self) -> None:
        self.assertEqual(self.device.queue_count(), 12)
        self.assertEqual(self.device.read_config(CONFIG_NUM_COMP_VECTORS, 2), 9)
        self.assertEqual(self.machine.qmp("qom-get", path="/machine/peripheral/v0",
                                          property="comp-vectors"), 9)


class PciExpress(DeviceCase):
    """Its configuration space has just enough room for all capabilities."""
    machine_arguments = ["-M", "q35", "-device", "pcie-root-port,id=root-port"]
    device_options = ",bus=root-port"

    def test_the_shared_memory_works(self) -> None:
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file(b"\x0d")]), 0)
        self.assertEqual(self.guest_reads(0), 13)


class WithoutReset(DeviceCase):
    backend_options = {"without_protocol_features": [13]}

    def test_a_backend_that_cannot_be_reset_gets_no_message_that_it_does_not_know(self) -> None:
        self.start_device()
        self.device.reset()
        self.assertNotIn("RESET_DEVICE", self.backend.names())
        self.assertNotIn("4", self.backend.names())     # RESET_OWNER


class Unplug(DeviceCase):
    def unplug(self) -> None:
        self.machine.qmp("device_del", id="v0")
        self.device.eject()
        self.machine.wait_for_event("DEVICE_DELETED")

    def plug(self) -> None:
        self.machine.qmp("device_add", driver="vrdma-pci", id="v0", chardev="r",
                         addr=hex(self.device.slot), **{"shm-size": SHM})

    def test_unplugging_resets_the_backend_and_unmaps_the_shared_memory(self) -> None:
        self.start_device()
        self.backend.channel.map(0, PAGE, [self.file()])
        resets = self.backend.names().count("RESET_DEVICE")
        self.unplug()
        self.assertGreater(self.backend.names().count("RESET_DEVICE"), resets)
        self.assertEqual(self.machine.mappings_of_memfd("vrdma-test"), 0)
        self.assertNotIn("vrdma-shm", self.machine.hmp("info mtree -f"))

    def test_plugging_and_unplugging_again_leaks_nothing(self) -> None:
        self.unplug()
        files, space = self.machine.open_files(), self.machine.address_space()
        for _ in range(5):
            self.plug()
            self.assertEqual(self.backend.channel.map(0, PAGE, [self.file()]), 0)
            self.unplug()
            self.assertEqual(self.machine.open_files(), files)
        wait_until(lambda: self.machine.address_space() < space + SHM, "the shared memory to go")

    def test_a_device_that_is_refused_leaves_nothing_behind(self) -> None:
        self.unplug()
        files, space = self.machine.open_files(), self.machine.address_space()
        self.backend.queues = 4
        for _ in range(5):
            with self.assertRaisesRegex(QemuFailed, "the backend offers 4 virtqueues"):
                self.plug()
            self.assertEqual(self.machine.open_files(), files)
        wait_until(lambda: self.machine.address_space() < space + SHM, "the shared memory to go")
        self.backend.queues = 16
        self.plug()
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file()]), 0)


class Loss(DeviceCase):
    device_options = ",reconnect=off"

    def lose_backend(self) -> None:
        self.start_device()
        self.device.take_interrupts()
        self.backend.channel.map(0, PAGE, [self.file(b"\xff" * PAGE)])
        self.backend.die()
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")

    def test_the_guest_is_told_to_reset_the_device(self) -> None:
        self.lose_backend()
        self.assertTrue(self.device.take_interrupts() & ISR_CONFIG)

    def test_the_device_is_not_ready_until_the_backend_returns(self) -> None:
        self.lose_backend()
        self.assertEqual(self.device.read_config(CONFIG_STATUS), STATUS_FAILED)
        self.device.reset()
        self.assertEqual(self.device.read_config(CONFIG_STATUS), 0)

    def test_the_shared_memory_is_emptied(self) -> None:
        self.lose_backend()
        self.assertEqual(self.guest_reads(0), 0)
        self.assertEqual(self.machine.mappings_of_memfd("vrdma-test"), 0)

    def test_qemu_lives_on_and_quits_cleanly(self) -> None:
        self.lose_backend()
        self.assertEqual(self.machine.qmp("query-status")["running"], True)
        self.machine.qmp("stop")
        self.machine.qmp("cont")
        status, words = self.machine.quit()
        self.assertEqual(status, 0)
        self.assertIn("the backend has closed its socket", words)

    def test_a_driver_that_starts_the_device_without_its_backend_is_told_to_reset_it(self) -> None:
        self.lose_backend()
        self.device.start()
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")

    def test_a_backend_that_dies_before_the_driver_comes_is_no_harm(self) -> None:
        self.backend.die()
        self.device.start()
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")

    def test_the_device_can_be_unplugged(self) -> None:
        self.lose_backend()
        self.machine.qmp("device_del", id="v0")
        self.device.eject()
        self.machine.wait_for_event("DEVICE_DELETED")


class Reconnect(Loss):
    """All of the above, and the way back."""
    device_options = ""

    def chardev_is_disconnected(self) -> bool:
        return any(chardev["label"] == "r" and chardev["filename"].startswith("disconnected")
                   for chardev in self.machine.qmp("query-chardev"))

    def come_back(self) -> None:
        self.backend.rise()
        self.backend.wait_for(lambda: len(self.backend.channels) == 2, "the new connection")

    def test_a_backend_that_comes_back_serves_the_guest_after_its_next_reset(self) -> None:
        self.lose_backend()
        self.come_back()
        self.assertEqual(self.backend.shm_size, SHM)
        self.assertEqual(self.backend.enabled, set())
        self.start_device()
        self.assertFalse(self.device.status & STATUS_NEEDS_RESET)
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file(b"\x0c")]), 0)
        self.assertEqual(self.guest_reads(0), 12)

    def test_the_guest_hears_of_the_return_with_the_device_as_it_failed(self) -> None:
        self.lose_backend()
        wait_until(lambda: self.device.take_interrupts() & ISR_CONFIG, "the interrupt of the loss")
        self.come_back()
        wait_until(lambda: self.device.take_interrupts() & ISR_CONFIG, "the interrupt")
        self.assertEqual(self.device.read_config(CONFIG_STATUS), STATUS_READY | STATUS_FAILED)
        self.assertTrue(self.device.status & STATUS_NEEDS_RESET)
        self.start_device()
        self.assertEqual(self.device.read_config(CONFIG_STATUS), STATUS_READY)

    def test_the_guest_hears_of_the_return_after_a_start_that_failed(self) -> None:
        self.lose_backend()
        self.device.start()
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")
        wait_until(lambda: self.device.take_interrupts() & ISR_CONFIG, "the interrupt of the loss")
        self.come_back()
        wait_until(lambda: self.device.take_interrupts() & ISR_CONFIG, "the interrupt")
        self.assertTrue(self.device.read_config(CONFIG_STATUS) & STATUS_READY)

    def test_a_backend_that_returns_to_a_device_that_is_reset_is_ready(self) -> None:
        self.lose_backend()
        self.device.reset()
        self.come_back()
        wait_until(lambda: self.device.read_config(CONFIG_STATUS) == STATUS_READY, "READY")
        self.assertFalse(self.device.take_interrupts() & ISR_CONFIG)

    def test_a_stop_and_continue_does_not_start_what_must_be_reset(self) -> None:
        self.lose_backend()
        self.come_back()
        self.machine.qmp("stop")
        self.machine.qmp("cont")
        self.assertTrue(self.device.status & STATUS_NEEDS_RESET)
        self.assertEqual(self.backend.enabled, set())

    def test_a_backend_that_comes_back_with_fewer_features_is_not_used(self) -> None:
        self.lose_backend()
        self.backend.features &= ~1
        self.backend.rise()
        self.backend.wait_for(lambda: "GET_QUEUE_NUM" in self.backend.names(), "the new connection")
        self.backend.wait_for(lambda: self.backend.connection is None, "the end of it")
        self.device.start()
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")

    def test_a_backend_that_is_refused_is_named_once_in_the_log(self) -> None:
        self.lose_backend()
        self.backend.features &= ~1
        self.backend.rise()
        self.backend.wait_for(lambda: self.backend.names().count("GET_QUEUE_NUM") == 3,
                              "three connections")
        _, words = self.machine.quit()
        self.assertEqual(words.count("the backend came back without the features 0x1"), 1)

    def test_a_plug_while_the_backend_is_away_is_refused_at_once(self) -> None:
        self.machine.qmp("device_del", id="v0")
        self.device.eject()
        self.machine.wait_for_event("DEVICE_DELETED")
        self.backend.die()
        wait_until(self.chardev_is_disconnected, "QEMU to see the end")
        with self.assertRaisesRegex(QemuFailed, "Failed to connect to '.*/backend'"):
            self.machine.qmp("device_add", driver="vrdma-pci", id="v0", chardev="r",
                             addr=hex(self.device.slot), **{"shm-size": SHM})


class ChardevReconnects(Reconnect):
    """The chardev has an option of its own, which the device leaves as it is."""

    @classmethod
    def chardev_options(cls) -> str:
        return ",reconnect=1" if cls.qemu.version == "7.2" else ",reconnect-ms=50"


class Silence(DeviceCase):
    """The backend does not answer any more, and keeps its sockets open, as a stopped process."""
    device_options = ",backend-timeout=1"

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.backend.go_on)

    def fall_silent(self) -> None:
        self.start_device()
        self.backend.hang()

    def run_state(self) -> str:
        state: str = self.machine.qmp("query-status")["status"]
        return state

    def wait_paused(self) -> None:
        wait_until(lambda: self.run_state() == "io-error", "the guest to be paused")

    def assert_back(self) -> None:
        self.backend.go_on()
        self.assert_goes_on()

    def assert_goes_on(self) -> None:
        """The guest goes on, and so does its device with the backend that answers again."""
        wait_until(lambda: self.run_state() == "running", "the guest to go on")
        wait_until(lambda: self.device.read_config(CONFIG_STATUS) & STATUS_READY, "READY")
        self.start_device()
        self.assertEqual(self.backend.channel.map(0, PAGE, [self.file(b"\x0c")]), 0)
        self.assertEqual(self.guest_reads(0), 12)

    def test_a_guest_that_resets_is_paused_until_the_backend_lets_go(self) -> None:
        self.fall_silent()
        self.device.begin_reset()
        self.wait_paused()
        self.backend.go_on()
        self.machine.finish()
        self.assertEqual(self.device.status, 0)
        self.assert_goes_on()

    def test_a_guest_that_resets_is_paused_until_the_backend_is_killed(self) -> None:
        self.fall_silent()
        self.device.begin_reset()
        self.wait_paused()
        self.backend.be_killed()
        self.machine.finish()
        self.assert_back()

    def test_nobody_lets_the_guest_go_on_before(self) -> None:
        self.fall_silent()
        self.device.begin_reset()
        self.wait_paused()
        for _ in range(3):
            self.machine.qmp("cont")
            self.wait_paused()
        self.backend.go_on()
        self.machine.finish()
        self.assert_goes_on()
        _, words = self.machine.quit()
        self.assertEqual(words.count("the backend has not answered for 1 seconds"), 1)
        self.assertIn("let vrdmad go on, or kill it", words)

    def test_a_guest_that_its_user_stops_goes_on_when_both_want_it(self) -> None:
        self.fall_silent()
        self.machine.qmp("stop")
        self.assertEqual(self.run_state(), "paused")
        self.machine.qmp("cont")
        self.wait_paused()
        self.backend.go_on()
        wait_until(lambda: self.run_state() == "running", "the guest to go on")
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")
        self.assert_goes_on()

    def test_a_guest_that_its_user_stops_stays_so_after_the_backend_has_let_go(self) -> None:
        self.fall_silent()
        self.machine.qmp("stop")
        self.backend.go_on()
        self.backend.wait_for(lambda: self.backend.names().count("SET_OWNER") == 2, "QEMU again")
        self.assertEqual(self.run_state(), "paused")
        self.machine.qmp("cont")
        self.assert_goes_on()

    def test_a_guest_that_reboots_is_paused_too(self) -> None:
        self.fall_silent()
        self.machine.qmp("system_reset")
        self.wait_paused()
        self.backend.go_on()
        self.machine.wait_boot()
        self.device = self.machine.find_device()
        self.assert_goes_on()

    def test_unplugging_and_plugging_end(self) -> None:
        self.fall_silent()
        self.machine.qmp("device_del", id="v0")
        self.device.begin_eject()
        self.machine.wait_for_event("DEVICE_DELETED")
        self.wait_paused()
        with self.assertRaises(QemuFailed):
            self.plug()
        self.backend.go_on()
        self.machine.finish()
        self.assertEqual(self.run_state(), "running")
        self.plug()

    def plug(self) -> None:
        self.machine.qmp("device_add", driver="vrdma-pci", id="v0", chardev="r",
                         addr=hex(self.device.slot), **{"shm-size": SHM, "backend-timeout": 1})

    def test_memory_that_is_plugged_waits_for_no_answer_without_end(self) -> None:
        self.fall_silent()
        self.machine.qmp("object-add", **{"qom-type": "memory-backend-memfd", "id": "d",
                                          "size": 128 << 20, "share": True})
        self.machine.qmp("device_add", driver="pc-dimm", id="dimm", memdev="d")
        self.wait_paused()
        self.backend.go_on()
        wait_until(lambda: self.run_state() == "running", "the guest to go on")
        wait_until(lambda: self.device.status & STATUS_NEEDS_RESET, "NEEDS_RESET")
        self.assert_goes_on()

    machine_arguments = ["-m", "64,slots=4,maxmem=512M"]


class SeveralBackends(DeviceCase):
    """Two NUMA nodes, each with a backend of its own, and room for DIMMs."""
    machine_arguments = [
        "-m", "64,slots=4,maxmem=512M", "-object", "memory-backend-memfd,share=on,id=b,size=32M",
        "-object", "memory-backend-memfd,share=on,id=a,size=32M", "-numa", "node,memdev=a",
        "-numa", "node,memdev=b"]
    main_memory = False

    def plug_dimm(self, backend: str) -> None:
        self.machine.qmp("object-add", id="d0", size=32 << 20,
                         **{"qom-type": backend, "share": backend == "memory-backend-memfd"})
        self.machine.qmp("device_add", driver="pc-dimm", id="dimm0", memdev="d0")

    def test_shared_nodes_and_dimms_are_served(self) -> None:
        self.start_device()
        self.plug_dimm("memory-backend-memfd")
        self.assertFalse(self.device.status & STATUS_NEEDS_RESET)

    def test_a_dimm_that_is_not_shared_is_refused(self) -> None:
        self.start_device()
        with self.assertRaisesRegex(QemuFailed, r"memory is not shared.*backend 'd0'"):
            self.plug_dimm("memory-backend-ram")
        self.assertEqual(self.machine.qmp("query-memory-devices"), [])
