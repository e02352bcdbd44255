# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest's view of its device."""

from __future__ import annotations

import re

from support_py.e2e import LabTest, main
from vrdma_lab import paths
from vrdma_lab.machine.progress import wait_until
from vrdma_lab.vm.guest import Guest


# What rxe has below /sys/class/infiniband/DEVICE and the embedded RNIC has not, and why.
NOT_HERE = {
    # An attribute of rxe's own, its netdev: device/net has it, as of adapters.
    "parent",
    # There are no packets that could be lost, come twice or come late, and no acknowledgements.
    "ports/1/hw_counters/ack_deferred",
    "ports/1/hw_counters/duplicate_request",
    "ports/1/hw_counters/out_of_seq_request",
    "ports/1/hw_counters/rcvd_seq_err",
    # req_cqe_error has it, under the name that adapters give it.
    "ports/1/hw_counters/send_err",
    # The link is the netdev's, which counts that.
    "ports/1/hw_counters/link_downed",
}


class Devinfo(LabTest):
    guest_count = 1
    modules = ("rdma_rxe", "crc32_generic")

    def setUp(self) -> None:
        self.guest: Guest = self.lab.guests[0]

    def wait_for(self, command: str, text: str, present: bool = True) -> None:
        """Repeats the command until its output has, or has no longer, the text."""
        wait_until(
            lambda: (text in self.guest.must(command)) == present,
            f"{text!r} present={present} is not so in what is said by {command}",
            30,
        )

    def test_the_device_is_listed(self) -> None:
        self.assertRegex(self.guest.must("ibv_devices"), r"(?m)^\s+vrdma0\s+\S+")

    def test_the_doctor_of_guests_finds_all_in_order(self) -> None:
        self.wait_for("cat /sys/class/infiniband/vrdma0/ports/1/gids/*", "ffff:")
        script = (paths.SOURCE / "frontend" / "vrdma-doctor").read_text()
        said = self.guest.must(
            f"cat > /tmp/vrdma-doctor <<'THE_END'\n{script}\nTHE_END\nsh /tmp/vrdma-doctor"
        )
        self.assertEqual(
            [line for line in said.splitlines() if not line.startswith("ok ")], [], said
        )
        self.assertIn("the provider of the host's RNIC", said)

    def test_it_has_a_uverbs_file(self) -> None:
        self.assertIn("uverbs0", self.guest.must("ls /dev/infiniband").split())

    def test_its_port_is_active(self) -> None:
        output = self.guest.must("ibv_devinfo -v -d vrdma0")
        self.assertRegex(output, r"state:\s+PORT_ACTIVE")
        self.assertRegex(output, r"link_layer:\s+Ethernet")

    def test_its_node_guid_is_made_from_the_mac(self) -> None:
        first, second = self.guest.mac.split(":")[:3], self.guest.mac.split(":")[3:]
        text = f"{first[0]}{first[1]}:{first[2]}ff:fe{second[0]}:{second[1]}{second[2]}"
        output = self.guest.must("ibv_devinfo -d vrdma0")
        # Some drivers invert the "locally administered" bit of EUI-64, as IPv6 does.
        inverted = f"{int(text[:2], 16) ^ 2:02x}{text[2:]}"
        self.assertRegex(output, rf"node_guid:\s+({text}|{inverted})")

    def test_its_gids_are_the_addresses_of_the_netdev(self) -> None:
        self.wait_for("ibv_devinfo -v -d vrdma0", f"::ffff:{self.guest.ip}")
        self.wait_for("ibv_devinfo -v -d vrdma0", "fe80::5054:ff:fe77:1")

    def test_a_gid_comes_and_goes_with_an_address(self) -> None:
        self.guest.must("ip addr add 10.78.0.1/24 dev eth0")
        self.wait_for("ibv_devinfo -v -d vrdma0", "::ffff:10.78.0.1")
        self.guest.must("ip addr del 10.78.0.1/24 dev eth0")
        self.wait_for("ibv_devinfo -v -d vrdma0", "::ffff:10.78.0.1", present=False)

    def test_its_netdev_is_found_by_it_whatever_its_name(self) -> None:
        netdev = "ls /sys/class/infiniband/vrdma0/device/net"
        self.assertEqual(self.guest.must(netdev), "eth0\n")
        self.guest.must("ip link set eth0 down && ip link set eth0 name lan0")
        self.assertEqual(self.guest.must(netdev), "lan0\n")
        self.guest.must("ip link set lan0 name eth0 && ip link set eth0 up")
        self.assertEqual(self.guest.must(netdev), "eth0\n")
        self.wait_for("ibv_devinfo -d vrdma0", "PORT_ACTIVE")

    def test_its_description_can_be_written(self) -> None:
        path = "/sys/class/infiniband/vrdma0/node_desc"
        self.guest.must(f"printf 'guest one' > {path}")
        self.assertEqual(self.guest.must(f"cat {path}"), "guest one\n")

    def test_its_port_says_that_it_has_connection_management(self) -> None:
        flags = self.guest.must("cat /sys/class/infiniband/vrdma0/ports/1/cap_mask")
        self.assertEqual(int(flags, 16), 1 << 16)

    def test_its_counters_have_names_and_values(self) -> None:
        output = self.guest.must("rdma statistic show link vrdma0/1")
        for name in ("sent_bytes", "rcvd_bytes", "rdma_sends", "rcvd_rnr_err"):
            self.assertRegex(output, rf"\b{name} \d+")
        counters = self.lab.daemon.status()["vms"][0]["counters"]
        self.assertEqual(set(counters), set(re.findall(r"([a-z_]+) \d+", output)))
        self.assertEqual(counters["rdma_writes"], 0)
        port = "/sys/class/infiniband/vrdma0/ports/1"
        self.assertEqual(self.guest.must(f"cat {port}/hw_counters/rdma_writes"), "0\n")
        self.assertRegex(self.guest.must(f"cat {port}/counters/port_xmit_data"), r"^\d+\n$")

    def files(self, device: str) -> set[str]:
        """The files of a device in sysfs; all entries of a table of GIDs are one."""
        listing = self.guest.must(
            f"cd /sys/class/infiniband/{device} && find -L . -maxdepth 5 -type f "
            "! -path './device/*' ! -path './subsystem/*'"
        )
        found = {line.removeprefix("./") for line in listing.splitlines()}
        return {re.sub(r"(gids|types|ndevs)/\d+$", r"\1/N", file) for file in found}

    def test_tools_find_all_that_they_find_of_rxe(self) -> None:
        self.guest.must(
            "modprobe crc32_generic; modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0"
        )
        rxe, vrdma = self.files("rxe0"), self.files("vrdma0")
        said = {
            what: [
                re.sub(r"\d+: |rxe0|vrdma0", "", self.guest.must(f"rdma {what} {device}"))
                for device in (f"rxe0{port}", f"vrdma0{port}")
            ]
            for what, port in (("link show", "/1"), ("resource show", ""))
        }
        self.guest.must("rdma link delete rxe0")
        self.assertEqual(rxe - vrdma, NOT_HERE)
        for what, (native, own) in said.items():
            with self.subTest(what):
                self.assertEqual(own, native)

    def test_the_port_follows_the_link(self) -> None:
        self.guest.must("ip link set eth0 down")
        self.wait_for("ibv_devinfo -d vrdma0", "PORT_DOWN")
        self.guest.must("ip link set eth0 up")
        self.wait_for("ibv_devinfo -d vrdma0", "PORT_ACTIVE")

    def test_sysfs_names_the_netdev_of_each_gid(self) -> None:
        index = self.guest.gid_index()
        path = f"/sys/class/infiniband/vrdma0/ports/1/gid_attrs/ndevs/{index}"
        self.assertEqual(self.guest.must(f"cat {path}").strip(), "eth0")


if __name__ == "__main__":
    main()
