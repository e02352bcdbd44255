# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""NVMe over RDMA by the guests' kernels: a disk that guest a serves is guest b's."""

from __future__ import annotations

from support_py.e2e import PATIENCE, LabTest, main
from support_py.unnoticed import TIMES, UnnoticedTest
from vrdma_lab.programs.nvme import MODULES, NvmeDisk
from vrdma_lab.vm.guest import Guest

MIB = 24


class Nvme(LabTest):
    modules = MODULES
    # Each guest has one, because invalidations wait for the other's work.
    daemon_options = ("--threads", "2")
    target_options = ""
    disk: NvmeDisk

    @classmethod
    def boot(cls) -> None:
        super().boot()
        for guest in cls.lab.guests:
            guest.wait_device()
        cls.disk = NvmeDisk(*cls.lab.guests)
        cls.disk.serve(MIB, cls.target_options)

    def setUp(self) -> None:
        self.target, self.host = self.lab.guests
        self.disk.connect()
        self.addCleanup(self.disk.disconnect)

    def checksum(self, guest: Guest, file: str) -> str:
        return guest.must(f"md5sum < {file}", PATIENCE).split()[0]

    def test_what_the_host_writes_is_on_the_targets_disk_and_is_read_again(self) -> None:
        self.host.must(f"dd if=/dev/urandom of=/tmp/data bs=1M count={MIB}", PATIENCE)
        written = self.checksum(self.host, "/tmp/data")
        self.host.must(f"dd if=/tmp/data of={self.disk.device} bs=1M && sync", PATIENCE)
        self.assertEqual(self.checksum(self.target, "/tmp/disk"), written)
        # Data in the host's cache would prove nothing.
        self.host.must("echo 3 > /proc/sys/vm/drop_caches")
        self.assertEqual(self.checksum(self.host, self.disk.device), written)

    def test_small_blocks_go_within_the_commands(self) -> None:
        self.host.must("dd if=/dev/urandom of=/tmp/block bs=4k count=3", PATIENCE)
        self.host.must(
            f"dd if=/tmp/block of={self.disk.device} bs=4k seek=5 count=3 && sync", PATIENCE
        )
        self.target.must("dd if=/tmp/disk of=/tmp/block bs=4k skip=5 count=3")
        self.assertEqual(
            self.checksum(self.target, "/tmp/block"), self.checksum(self.host, "/tmp/block")
        )

    @classmethod
    def tearDownClass(cls) -> None:
        for guest in cls.lab.guests:
            complaints = guest.complaints()
            assert complaints == "", f"{guest.name}: {complaints}"


class NvmeBySharedReceiveQueues(Nvme, UnnoticedTest):
    target_options = "use_srq=1"

    def test_the_disk_is_whole_while_vrdmad_is_taken_over(self) -> None:
        device = self.disk.device
        round_ = f"""
            dd if=/dev/urandom of=/tmp/data bs=64k count=32 2> /dev/null
            dd if=/tmp/data of={device} bs=64k conv=fsync || exit
            echo 3 > /proc/sys/vm/drop_caches
            dd if={device} bs=64k count=32 | cmp - /tmp/data || exit
        """
        with self.rounds(self.host, round_) as wait_round:
            for _ in range(TIMES):
                self.lab.daemon.be_taken_over()
                wait_round()

    def test_the_target_has_such_a_queue(self) -> None:
        self.assertGreater(
            self.lab.daemon.status()["vms"][0]["objects"]["shared_receive_queues"], 0
        )


if __name__ == "__main__":
    main()
