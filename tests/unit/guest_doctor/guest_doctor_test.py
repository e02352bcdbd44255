# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""vrdma-doctor in a virtual machine that is well, and in some that are not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from vrdma_lab import paths

DOCTOR = paths.SOURCE / "frontend" / "vrdma-doctor"
RELEASE = "6.1.0-50-amd64"
PCI = "sys/bus/pci/devices/0000:00:10.0"
VIRTIO = "sys/bus/virtio/devices/virtio3"
PORT = "sys/class/infiniband/vrdma0/ports/1"
UVERBS = "dev/infiniband/uverbs0"
NO_ADDRESS = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
ZERO_GID = "0000:0000:0000:0000:0000:0000:0000:0000\n"
LINK_LOCAL = "fe80:0000:0000:0000:5054:00ff:fe77:0001\n"
# The feature bits of the embedded RNIC, and of one whose connection manager the host has.
EMBEDDED = "1" * 9 + "0" * 55 + "\n"
FORWARDING = "1" * 8 + "01" + "0" * 54 + "\n"
# What a virtual machine has in which all is well.
WELL = {
    "proc/sys/kernel/osrelease": RELEASE + "\n",
    "proc/self/limits": "Max locked memory         unlimited            unlimited      bytes\n",
    "proc/self/status": "Name:\tsh\nCapEff:\t0000000000000000\n",
    "sys/module/vrdma/parameters/rdma_cm": "Y\n",
    f"lib/modules/{RELEASE}/updates/dkms/vrdma.ko": "",
    f"lib/modules/{RELEASE}/build/Makefile": "",
    f"{PCI}/vendor": "0x1af4\n",
    f"{PCI}/device": "0x106a\n",
    f"{PCI}/resource": NO_ADDRESS * 2
    + "0x0000008000000000 0x000000803fffffff 0x000000000014220c\n",
    "sys/bus/pci/devices/0000:00:02.0/vendor": "0x8086\n",
    "sys/bus/pci/devices/0000:00:02.0/device": "0x106a\n",
    f"{VIRTIO}/device": "0x002a\n",
    f"{VIRTIO}/features": EMBEDDED,
    f"{VIRTIO}/driver/module": "",
    f"{VIRTIO}/infiniband/vrdma0/node_guid": "5054:00ff:fe77:0001\n",
    f"{PORT}/state": "4: ACTIVE\n",
    f"{PORT}/gid_attrs/ndevs/0": "eth0\n",
    f"{PORT}/gids/0": LINK_LOCAL,
    f"{PORT}/gids/1": "0000:0000:0000:0000:0000:ffff:0a4d:0001\n",
    f"{PORT}/gids/2": ZERO_GID,
    "sys/class/net/eth0/address": "52:54:00:77:00:01\n",
    "sys/class/infiniband_verbs/uverbs0/ibdev": "vrdma0\n",
    UVERBS: "",
    "dev/infiniband/rdma_cm": "",
    "usr/lib/x86_64-linux-gnu/libibverbs.so.1": "",
    "etc/libibverbs.d/rxe.driver": "driver rxe\n",
}


class GuestDoctor(unittest.TestCase):
    """A virtual machine is a folder with what the doctor reads."""

    def setUp(self) -> None:
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in WELL.items():
            self.write(name, text)
        (self.root / UVERBS).chmod(0o666)
        # What rdma-core says is the machine's own.
        self.programs = self.root / "programs"
        self.programs.mkdir()
        for name in ("sh", "sed", "find", "basename", "cut", "stat", "cat", "grep"):
            program = shutil.which(name)
            assert program is not None
            (self.programs / name).symlink_to(program)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, name: str) -> None:
        path = self.root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    def has_program(self, name: str, text: str) -> None:
        """A program that prints a text."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        path.chmod(0o755)

    def examine(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = ["/bin/sh", str(DOCTOR), *(options or ("--root", str(self.root)))]
        environment = {"PATH": str(self.programs)}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def assert_found(self, level: str, says: str, mend: str) -> None:
        """One thing is wrong, and the line below it says what mends it."""
        done = self.examine()
        lines = done.stdout.splitlines()
        found = [place for place, line in enumerate(lines)
                 if not line.startswith(("ok ", "         -> "))]
        self.assertEqual(len(found), 1, done.stdout + done.stderr)
        self.assertRegex(lines[found[0]], f"^{level} .*{says}")
        self.assertIn(mend, lines[found[0] + 1])
        self.assertEqual(done.returncode, 1 if level == "error" else 0, done.stderr)

    def test_a_machine_that_is_well_is_all_ok(self) -> None:
        done = self.examine()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual([line for line in done.stdout.splitlines() if line[:3] != "ok "], [])
        for what in ("driver", "PCI device", "device vrdma0", "eth0, 52:54:00:77:00:01", "2 GIDs",
                     "librdmacm", "programs of vrdma0", "locked memory", "rdma-core"):
            self.assertIn(what, done.stdout)

    def test_a_driver_that_is_built_and_not_loaded(self) -> None:
        self.remove("sys/module/vrdma")
        self.assert_found("error", "is built for Linux 6.1.0-50-amd64 and not loaded",
                          "modprobe vrdma")

    def test_a_driver_that_is_not_built(self) -> None:
        self.remove("sys/module/vrdma")
        self.remove(f"lib/modules/{RELEASE}/updates")
        self.assert_found("error", "is not built for Linux 6.1.0-50-amd64$",
                          f"dkms autoinstall -k {RELEASE}")

    def test_a_kernel_whose_headers_are_missing(self) -> None:
        self.remove("sys/module/vrdma")
        self.remove(f"lib/modules/{RELEASE}")
        self.assert_found("error", "headers are not here", f"linux-headers-{RELEASE}")

    def test_a_machine_without_the_device(self) -> None:
        self.remove(PCI)
        self.remove(VIRTIO)
        self.assert_found("error", "has no vrdma-pci", "vrdmactl libvirt-attach")

    def test_a_device_that_virtio_pci_does_not_have(self) -> None:
        self.remove(VIRTIO)
        self.assert_found("error", "virtio_pci does not have it", "modprobe virtio_pci")

    def test_a_device_without_a_driver(self) -> None:
        self.remove(f"{VIRTIO}/driver")
        self.assert_found("error", "virtio3: it has no driver", "modprobe vrdma")

    def test_a_region_that_does_not_fit_behind_its_port(self) -> None:
        self.write(f"{PCI}/resource", NO_ADDRESS * 6)
        self.assert_found("error", "has no address", "pref64-reserve=2G")

    def test_a_region_below_4_gib(self) -> None:
        self.write(f"{PCI}/resource", NO_ADDRESS * 2
                   + "0x00000000c0000000 0x00000000cfffffff 0x000000000014220c\n")
        self.assert_found("warning", "below 4 GiB", "shm-size=1G")

    def test_a_driver_that_waits_for_the_daemon_or_a_network_device(self) -> None:
        self.remove(f"{VIRTIO}/infiniband")
        self.assert_found("error", "there is no RDMA device", "dmesg")

    def test_a_network_device_that_is_down(self) -> None:
        self.write(f"{PORT}/state", "1: DOWN\n")
        self.assert_found("error", "its port is down", "ip link set eth0 up")

    def test_a_device_that_no_network_device_gives_an_address(self) -> None:
        self.remove(f"{PORT}/gid_attrs")
        self.assert_found("error", "none gives it an address", "vrdmactl addresses")

    def test_a_device_without_gids(self) -> None:
        self.write(f"{PORT}/gids/0", ZERO_GID)
        self.write(f"{PORT}/gids/1", ZERO_GID)
        self.assert_found("error", "it has no GID", "ip address add")

    def test_a_device_with_link_local_gids_alone(self) -> None:
        self.write(f"{PORT}/gids/1", ZERO_GID)
        self.assert_found("warning", "link-local GIDs alone", "ip address add")

    def test_rdma_ucm_in_the_place_of_the_drivers_own_node(self) -> None:
        self.write(f"{VIRTIO}/features", FORWARDING)
        self.assertEqual(self.examine().returncode, 0)
        self.write("sys/module/rdma_ucm/refcnt", "0\n")
        self.assert_found("warning", "rdma_ucm has /dev/infiniband/rdma_cm", "rmmod rdma_ucm")

    def test_a_driver_that_was_told_to_leave_the_node(self) -> None:
        self.write(f"{VIRTIO}/features", FORWARDING)
        self.write("sys/module/vrdma/parameters/rdma_cm", "N\n")
        self.remove("dev/infiniband/rdma_cm")
        self.assert_found("warning", "rdma_cm=0", "modprobe vrdma rdma_cm=1")

    def test_a_machine_without_the_connection_managers_node(self) -> None:
        self.remove("dev/infiniband/rdma_cm")
        self.assert_found("warning", "there is no /dev/infiniband/rdma_cm", "modprobe rdma_ucm")

    def test_a_node_that_only_root_may_open(self) -> None:
        (self.root / UVERBS).chmod(0o600)
        self.assert_found("warning", "users other than root", "chmod 666 /dev/infiniband/uverbs0")

    def test_a_node_that_is_missing(self) -> None:
        self.remove(UVERBS)
        self.assert_found("error", "uverbs0 is not there", "udevadm trigger")

    def test_a_user_who_may_lock_little_memory(self) -> None:
        self.write("proc/self/limits",
                   "Max locked memory         8388608              8388608              bytes\n")
        self.assert_found("warning", "may register 8388608 bytes", "memlock unlimited")

    def test_a_user_who_may_lock_any_memory_by_a_capability(self) -> None:
        self.write("proc/self/limits",
                   "Max locked memory         8388608              8388608              bytes\n")
        self.write("proc/self/status", "CapEff:\t000001ffffffffff\n")
        self.assertIn("(CAP_IPC_LOCK)", self.examine().stdout)

    def test_a_machine_without_rdma_core(self) -> None:
        self.remove("usr/lib/x86_64-linux-gnu/libibverbs.so.1")
        self.assert_found("error", "libibverbs is not installed", "apt install rdma-core")

    def test_a_machine_without_providers(self) -> None:
        self.remove("etc/libibverbs.d/rxe.driver")
        self.assert_found("error", "no provider", "apt install ibverbs-providers")

    def test_a_library_that_does_not_list_the_device(self) -> None:
        self.has_program("ibv_devices", "    device          \t   node GUID\n    other \t 1")
        self.assert_found("error", "does not list vrdma0", "apt install ibverbs-providers")
        self.has_program("ibv_devices", "    vrdma0          \t505400fffe770001")
        self.assertEqual(self.examine().returncode, 0)

    def test_a_mistake_in_the_command_line(self) -> None:
        done = self.examine("--wrong")
        self.assertEqual(done.returncode, 2)
        self.assertIn("'--wrong' is no option", done.stderr)

    def test_the_version_is_the_drivers(self) -> None:
        configuration = (paths.SOURCE / "frontend" / "dkms.conf").read_text()
        version = re.search(r'^PACKAGE_VERSION="(.*)"', configuration, re.MULTILINE)
        assert version is not None
        self.assertEqual(self.examine("--version").stdout, f"vrdma-doctor {version.group(1)}\n")

    def test_it_runs_in_a_shell_of_busybox(self) -> None:
        busybox = shutil.which("busybox", path=os.defpath)
        if busybox is None:
            self.skipTest("busybox is not installed")
        done = subprocess.run([busybox, "sh", str(DOCTOR), "--root", str(self.root)],
                              capture_output=True, text=True, env={"PATH": str(self.programs)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
