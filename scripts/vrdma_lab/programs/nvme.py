# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A disk that one guest's kernel serves and another's uses, by NVMe over RDMA."""

from __future__ import annotations

from vrdma_lab.vm.guest import Guest

MODULES = ("nvme_rdma", "nvmet_rdma")
SUBSYSTEM = "disk"
CONFIG = "/sys/kernel/config/nvmet"
PATIENCE = 60.0


class NvmeDisk:
    """A disk that is served from the file /tmp/disk of the target."""

    device = "/dev/nvme0n1"

    def __init__(self, target: Guest, host: Guest) -> None:
        self.target = target
        self.host = host

    def serve(self, mib: int, module_options: str = "") -> None:
        """Configures the target, as nvmetcli would."""
        subsystem = f"{CONFIG}/subsystems/{SUBSYSTEM}"
        self.target.must(
            f"modprobe nvmet_rdma {module_options} && "
            "(mountpoint -q /sys/kernel/config || "
            "mount -t configfs config /sys/kernel/config) && "
            f"dd if=/dev/zero of=/tmp/disk bs=1M count={mib} && "
            f"mkdir {subsystem} && echo 1 > {subsystem}/attr_allow_any_host && "
            f"mkdir {subsystem}/namespaces/1 && cd {subsystem}/namespaces/1 && "
            # A tmpfs has no direct I/O.
            "echo /tmp/disk > device_path && echo 1 > buffered_io && echo 1 > enable && "
            f"mkdir {CONFIG}/ports/1 && cd {CONFIG}/ports/1 && "
            "echo rdma > addr_trtype && echo ipv4 > addr_adrfam && "
            f"echo {self.target.ip} > addr_traddr && "
            "echo 4420 > addr_trsvcid"
        )
        self.listen()

    def listen(self) -> None:
        """Lets the target take connections."""
        self.target.must(
            f"ln -s {CONFIG}/subsystems/{SUBSYSTEM} {CONFIG}/ports/1/subsystems/{SUBSYSTEM}"
        )

    def stop_listening(self) -> None:
        """Lets the target take no more connections."""
        self.target.must(f"rm {CONFIG}/ports/1/subsystems/{SUBSYSTEM}", PATIENCE)

    def connect(self) -> None:
        """Connects the host, and waits for its disk."""
        self.host.must("modprobe nvme_rdma")
        self.host.must(
            f"echo transport=rdma,traddr={self.target.ip},trsvcid=4420,nqn={SUBSYSTEM} "
            "> /dev/nvme-fabrics",
            PATIENCE,
        )
        self.host.must(f"until [ -b {self.device} ]; do usleep 20000; done", PATIENCE)

    def disconnect(self) -> None:
        """Disconnects the host, unless Linux has done so already with the device that is gone."""
        control = "/sys/class/nvme/nvme0/delete_controller"
        self.host.must(f"echo 1 > {control} || [ ! -e {control} ]", PATIENCE)
        self.wait_gone()

    def wait_gone(self) -> None:
        """Waits until the host's controller is gone."""
        self.host.must("while [ -e /sys/class/nvme/nvme0 ]; do usleep 20000; done", PATIENCE)
