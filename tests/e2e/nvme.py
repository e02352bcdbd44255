# SPDX-License-Identifier: Apache-2.0
"""NVMe over RDMA by the guests' kernels: a disk that guest a serves is guest b's."""

from __future__ import annotations

from support import PATIENCE, LabTest, main
from vrdma_lab.guest import Guest

MIB = 24
SUBSYSTEM = "disk"
CONFIG = "/sys/kernel/config/nvmet"


class Nvme(LabTest):
    modules = ("nvme_rdma", "nvmet_rdma", "ext4")
    target: Guest
    host: Guest

    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.target, cls.host = cls.lab.guests
        for guest in cls.lab.guests:
            guest.wait_device()
        cls.serve()

    @classmethod
    def serve(cls) -> None:
        """The target's configuration, as nvmetcli would write it."""
        subsystem = f"{CONFIG}/subsystems/{SUBSYSTEM}"
        cls.target.must(
            "modprobe nvmet_rdma && (mountpoint -q /sys/kernel/config || mount -t configfs config /sys/kernel/config) && "
            f"dd if=/dev/zero of=/tmp/disk bs=1M count={MIB} && "
            f"mkdir {subsystem} && echo 1 > {subsystem}/attr_allow_any_host && "
            f"mkdir {subsystem}/namespaces/1 && cd {subsystem}/namespaces/1 && "
            # A tmpfs has no direct I/O.
            "echo /tmp/disk > device_path && echo 1 > buffered_io && echo 1 > enable && "
            f"mkdir {CONFIG}/ports/1 && cd {CONFIG}/ports/1 && "
            f"echo rdma > addr_trtype && echo ipv4 > addr_adrfam && echo {cls.target.ip} > addr_traddr && "
            f"echo 4420 > addr_trsvcid && ln -s {subsystem} subsystems/{SUBSYSTEM}"
        )

    def connect(self) -> str:
        """The disk's name in the host guest."""
        self.host.must("modprobe nvme_rdma")
        self.host.must(
            f"echo transport=rdma,traddr={self.target.ip},trsvcid=4420,nqn={SUBSYSTEM} > /dev/nvme-fabrics", PATIENCE
        )
        self.addCleanup(self.disconnect)
        self.host.must("until [ -b /dev/nvme0n1 ]; do usleep 20000; done", PATIENCE)
        return "/dev/nvme0n1"

    def disconnect(self) -> None:
        self.host.must("echo 1 > /sys/class/nvme/nvme0/delete_controller", PATIENCE)
        self.host.must("while [ -e /sys/class/nvme/nvme0 ]; do usleep 20000; done", PATIENCE)

    def checksum(self, guest: Guest, file: str) -> str:
        return guest.must(f"md5sum < {file}", PATIENCE).split()[0]

    def test_what_the_host_writes_is_on_the_targets_disk_and_is_read_again(self) -> None:
        disk = self.connect()
        self.host.must(f"dd if=/dev/urandom of=/tmp/data bs=1M count={MIB}", PATIENCE)
        written = self.checksum(self.host, "/tmp/data")
        self.host.must(f"dd if=/tmp/data of={disk} bs=1M && sync", PATIENCE)
        self.assertEqual(self.checksum(self.target, "/tmp/disk"), written)
        # What is in the host's cache would prove nothing.
        self.host.must("echo 3 > /proc/sys/vm/drop_caches")
        self.assertEqual(self.checksum(self.host, disk), written)

    def test_small_blocks_go_within_the_commands(self) -> None:
        disk = self.connect()
        self.host.must("dd if=/dev/urandom of=/tmp/block bs=4k count=3", PATIENCE)
        self.host.must(f"dd if=/tmp/block of={disk} bs=4k seek=5 count=3 && sync", PATIENCE)
        self.target.must("dd if=/tmp/disk of=/tmp/block bs=4k skip=5 count=3")
        self.assertEqual(self.checksum(self.target, "/tmp/block"), self.checksum(self.host, "/tmp/block"))

    @classmethod
    def tearDownClass(cls) -> None:
        for guest in cls.lab.guests:
            complaints = guest.complaints()
            assert complaints == "", f"{guest.name}: {complaints}"


if __name__ == "__main__":
    main()
