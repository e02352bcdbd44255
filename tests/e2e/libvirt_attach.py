# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""vrdmactl gives a libvirt domain its device, and virsh does with the domain what it ever does."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree

from support_py.e2e import PATIENCE
from support_py.libvirt_test import (
    NAME,
    QEMU_NAMESPACE,
    LibvirtTest,
    find,
    main_as_root,
)
from vrdma_lab import paths
from vrdma_lab.machine.progress import run_to_end


class LibvirtAttach(LibvirtTest):
    """A domain that somebody had before vrdma came."""

    def plain_domain(self, machine: str) -> ElementTree.Element:
        """The domain without anything of vrdma's, and with a port for a device that comes later."""
        domain = self.domain_for_here()
        domain.remove(find(domain, "memoryBacking"))
        domain.remove(find(domain, f"{{{QEMU_NAMESPACE}}}commandline"))
        find(domain, "os/type").set("machine", machine)
        if machine == "q35":
            ElementTree.SubElement(
                find(domain, "devices"), "controller", type="pci", model="pcie-root-port", index="9"
            )
        return domain

    def try_vrdmactl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(paths.vrdmactl()), "--socket", str(self.lab.daemon.control_socket)]
        return run_to_end([*command, *arguments, "--connect", self.uri], PATIENCE)

    def attach(self, *options: str) -> str:
        preload = paths.qemu_device() / "libvrdma-qemu-preload.so"
        return self.vrdmactl("libvirt-attach", NAME, "a", "--preload", str(preload), *options)

    def detach(self, *options: str) -> str:
        return self.vrdmactl("libvirt-detach", NAME, "a", *options)

    def vrdmactl(self, *arguments: str) -> str:
        result = self.try_vrdmactl(*arguments)
        self.assertEqual(
            result.returncode, 0, f"vrdmactl {arguments}: {result.stderr}\n{self.libvirtd.tail()}"
        )
        return result.stdout

    def configuration(self) -> str:
        return self.virsh("dumpxml", "--inactive", NAME)

    def tearDown(self) -> None:
        self.virsh("destroy", NAME)
        self.assert_objects_gone()
        self.virsh("undefine", NAME)

    def test_1_a_q35_gets_the_device_and_lives_on_as_ever(self) -> None:
        self.define(self.plain_domain("q35"))
        before = self.configuration()

        refused = self.try_vrdmactl("libvirt-attach", NAME, "b")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"the domain '{NAME}' has network devices with 52:54:00:", refused.stderr)
        self.assertIn("vrdma-pci", self.attach("--dry-run"))
        self.assertEqual(self.configuration(), before)

        self.assertIn("its memory is a memfd", self.attach())
        self.attach("--prepare")
        attached = self.configuration()
        self.assertIn("nothing to change", self.attach())
        self.assertEqual(self.configuration(), attached)

        self.virsh("start", NAME)
        channel = self.channel()
        self.wait_rdma(channel)

        self.virsh("suspend", NAME)
        self.assertEqual(self.virsh("domstate", NAME).strip(), "paused")
        self.virsh("resume", NAME)
        self.wait_rdma(channel)

        refused = self.try_virsh("save", NAME, str(self.lab.folder / "saved"))
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("vrdma", refused.stderr)
        self.assertEqual(self.virsh("domstate", NAME).strip(), "running")
        self.wait_rdma(channel)

        # libvirt presses the power button, and starts the machine again when it has gone down.
        self.virsh("reboot", NAME, "--mode", "acpi")
        channel.start("poweroff -f")
        channel.close()
        channel = self.channel()
        self.wait_rdma(channel)

        refused = self.try_vrdmactl("libvirt-detach", NAME, "a", "--live")
        self.assertIn("cannot be pulled out", refused.stderr)
        self.assertIn("takes effect when it is started next", self.detach())
        self.assertNotIn("vrdma-pci", self.configuration())
        self.wait_rdma(channel)

    def attach_and_detach_live(self, place: str) -> None:
        """A domain that runs without the device gets it and loses it, twice."""
        self.attach("--prepare")
        self.assertNotIn("vrdma-pci", self.configuration())
        self.virsh("start", NAME)
        channel = self.channel()
        for _ in range(2):
            self.assertIn(place, self.attach("--live"))
            self.wait_rdma(channel)
            self.assertIn("nothing to change", self.attach("--live"))
            self.assertIn("is pulled out", self.detach("--live"))
            gone = channel.start("[ ! -e /sys/class/infiniband/vrdma0 ]").wait(60)
            self.assertTrue(gone.ok, gone.output)
            self.assert_objects_gone()
            self.assertIn("nothing to change", self.detach("--live"))

    def test_2_a_q35_that_runs_gets_the_device_behind_a_port_and_loses_it(self) -> None:
        self.define(self.plain_domain("q35"))
        self.attach_and_detach_live("is plugged in at")

    def test_3_a_pc_that_runs_gets_the_device_and_loses_it(self) -> None:
        self.define(self.plain_domain("pc"))
        self.attach_and_detach_live("on pci.0 in slot")

    def test_4_a_domain_that_was_not_prepared_says_what_helps(self) -> None:
        self.define(self.plain_domain("q35"))
        self.virsh("start", NAME)
        refused = self.try_vrdmactl("libvirt-attach", NAME, "a", "--live")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("memory that vrdmad cannot map", refused.stderr)


if __name__ == "__main__":
    main_as_root("libvirt_attach")
