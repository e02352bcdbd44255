# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""docs/quickstart.md from its first block to its last: quickstart.py SUITE [unittest's options].

A clean Debian with libvirt is the host. It is a virtual machine of this test, under TCG, whose
processor has AMD's virtualization: the two domains run by the host's own KVM. They are overlays of
one disk. The block that installs the driver runs before, in the folder that the disk is made of,
because a compiler in an emulated machine's guest takes hours.
"""

from __future__ import annotations

import itertools
import re
import shlex
import tempfile
from pathlib import Path

from support_py.packages_test import SuiteTest, main
from support_py.quickstart import IN_BOTH, ON_THE_HOST, RDMA, Block, blocks
from support_py.quickstart_machines import DEBIANS, DOMAINS, QuickstartMachines, on_domain
from vrdma_lab import paths
from vrdma_lab.children import WorkFolder, raise_on_signals
from vrdma_lab.vm.debian_vm import DebianVm

PATIENCE = 180.0
# Where domains boot on a host that is emulated: by KVM of Linux 6.1 they do. By that of Linux 6.12,
# Debian 13's, they start, and have not come up within 45 minutes (docs/packages.md).
DOMAINS_BOOT = ("bookworm",)
HOST_PACKAGES = ("vrdma", "qemu-vrdma")
GUEST_PACKAGES = ("vrdma-dkms",)


def as_root(commands: str) -> str:
    """What a shell runs that root has opened, whose commands must all succeed."""
    return f"cd /root && HOME=/root exec bash -exc {shlex.quote(commands)}"


def installs(block: Block) -> bool:
    """Whether a block installs packages."""
    return "apt install" in block.commands


class Quickstart(SuiteTest):
    """What a reader of the page does and sees, in this order."""

    machines: QuickstartMachines
    host: DebianVm

    @classmethod
    def setUpClass(cls) -> None:
        work = WorkFolder()
        cls.addClassCleanup(work.remove)
        # Disks are too large for a /tmp that is memory.
        disks = tempfile.TemporaryDirectory(prefix="quickstart-", dir=paths.cache())
        folder = Path(cls.enterClassContext(disks))
        cls.machines = QuickstartMachines(cls.runner, cls.suite, folder, work.path)

    def section(self, name: str) -> list[Block]:
        """The blocks of a section, for this Debian."""
        return [block for block in blocks()
                if block.section == name and block.is_for(DEBIANS[self.suite])]

    def on_domains(self, commands: str) -> list[str]:
        """What commands print in each domain."""
        return [self.host.follow(on_domain(domain, as_root(commands))) for domain in DOMAINS]

    def need_domains(self) -> None:
        """Skips a test that needs what runs in a domain."""
        if self.suite not in DOMAINS_BOOT:
            self.skipTest(f"domains do not come up on an emulated host with {self.suite}'s KVM")

    def test_1_dkms_builds_the_driver(self) -> None:
        commands = [block.commands for block in filter(installs, self.section(IN_BOTH))]
        built = self.machines.install_driver(self.packages(*GUEST_PACKAGES), commands)
        self.assertRegex(built, r"^vrdma/\S+ \S+, x86_64: installed\n\Z")

    def test_2_the_host_starts_both_domains(self) -> None:
        type(self).host = self.enterClassContext(
            self.machines.host(self.packages(*HOST_PACKAGES)))
        for block in self.section(ON_THE_HOST):
            self.host.follow(as_root(block.commands))
        running = self.host.must("virsh list --name").split()
        self.assertEqual(running, [*DOMAINS])

    def test_3_apparmor_confines_them(self) -> None:
        profiles = "sed 's|.*|/proc/&/attr/current|' /run/libvirt/qemu/rdma?.pid"
        labels = self.host.must(f"cat $({profiles})")
        self.assertRegex(labels, r"\A(libvirt-\S+ \(enforce\)\n){2}\Z")
        self.assertEqual(self.host.must("dmesg | grep 'apparmor=\"DENIED\"' || true"), "")

    def test_4_the_driver_finds_the_device(self) -> None:
        self.need_domains()
        for domain in DOMAINS:
            self.host.must(f"until {on_domain(domain, 'true')}; do sleep 0.5; done", PATIENCE)
        for block in itertools.filterfalse(installs, self.section(IN_BOTH)):
            for said in self.on_domains(block.commands):
                if "ibv_devinfo" in block.commands:
                    self.assertIn("PORT_ACTIVE", said)
                if "vrdma-doctor" in block.commands:
                    self.assertNotRegex(said, r"(?m)^(warning|error) ")

    def test_5_ping_data_comes_back(self) -> None:
        self.need_domains()
        server, client = self.section(RDMA)
        serving = self.host.start(on_domain("rdma1", as_root(server.commands)))
        listens = "until rdma resource show cm_id | grep -q LISTEN; do sleep 0.1; done"
        waiting = self.host.start(on_domain("rdma1", listens))
        self.assertTrue(waiting.wait_or(serving, PATIENCE), serving.output)
        said = self.host.follow(on_domain("rdma2", as_root(client.commands)))
        self.assertEqual(len(re.findall(r"^ping data: rdma-ping-\d: ", said, re.MULTILINE)), 10)
        self.assertTrue(serving.wait(PATIENCE).ok, serving.output)

    def test_6_the_host_has_counted_the_messages(self) -> None:
        self.need_domains()
        said = self.host.must("vrdmactl stats")
        head, *rows = (re.split(r"  +", line.strip()) for line in said.splitlines())
        self.assertEqual([row[0] for row in rows], [*DOMAINS])
        for row in rows:
            figures = dict(zip(head, row))
            # A SEND, and an RDMA READ or WRITE for each ping.
            self.assertGreaterEqual(int(figures["MESSAGES OUT"]), 10, said)
            self.assertGreaterEqual(int(figures["MESSAGES IN"]), 10, said)
            self.assertEqual(figures["ERRORS"], "0", said)

    def test_7_the_hosts_doctor_finds_nothing_wrong(self) -> None:
        self.assertNotRegex(self.host.must("vrdmactl doctor"), r"(?m)^error ")


if __name__ == "__main__":
    raise_on_signals()
    main(failfast=True)
