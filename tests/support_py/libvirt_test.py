# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A libvirtd of the test's own, and a domain for it of the lab's kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from support_py.e2e import KERNEL, PATIENCE, main
from vrdma_lab import paths
from vrdma_lab.children import Child, tail
from vrdma_lab.lab.lab import Lab
from vrdma_lab.machine.agent import AGENT_PORT
from vrdma_lab.machine.channel import Channel
from vrdma_lab.machine.progress import run_to_end, wait_until
from vrdma_lab.network.overlay import mac_of

DOCUMENT = paths.SOURCE / "docs" / "libvirt.md"
QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
# The address that libvirt's built-in user network expects.
ADDRESS = "10.0.2.15"
NAME = "rdma1"

# libvirtd has folders of its own, in namespaces that end with this process. It meets no libvirtd of
# the machine's, and everything that it starts ends with it.
PRIVATE_LIBVIRTD = """
set -e
for folder in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
done
mount -t tmpfs tmpfs /run
cat > /etc/libvirt/qemu.conf <<END
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
END
cat > /etc/libvirt/libvirtd.conf <<END
unix_sock_dir = "$1"
auth_unix_rw = "none"
END
# libvirtd looks its default user up, though it uses another; only the package that starts libvirtd
# makes that user.
if ! getent passwd libvirt-qemu > /dev/null; then
    for file in passwd group; do
        cp "/etc/$file" "$1/$file"
    done
    echo "libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin" >> "$1/passwd"
    echo "libvirt-qemu:x:64055:" >> "$1/group"
    for file in passwd group; do
        mount --bind "$1/$file" "/etc/$file"
    done
fi
virtlogd -d
# There is no exec: this shell is the namespace's init and reaps the QEMUs, which libvirtd waits to
# see gone.
libvirtd &
wait $!
"""


def documented_domain() -> ElementTree.Element:
    """The domain in the document."""
    match = re.search(r"```xml\n(<domain .*?</domain>)\n```", DOCUMENT.read_text(), re.DOTALL)
    assert match is not None, f"{DOCUMENT} has no domain"
    ElementTree.register_namespace("qemu", QEMU_NAMESPACE)
    return ElementTree.fromstring(match.group(1))


def find(parent: ElementTree.Element, path: str) -> ElementTree.Element:
    """An element that has to be there."""
    found = parent.find(path)
    assert found is not None, f"the domain has no {path}"
    return found


class LibvirtTest(unittest.TestCase):
    """Tests with a libvirtd, a daemon with two guests, and one domain at a time."""

    lab: Lab
    libvirtd: Child
    uri: str
    console: Path
    agent: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(KERNEL))
        cls.lab.start_daemon(2)
        sockets = cls.lab.folder / "libvirt"
        sockets.mkdir()
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        environment = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        cls.libvirtd = Child(
            "libvirtd",
            [*command, "sh", "-c", PRIVATE_LIBVIRTD, "private-libvirtd", str(sockets)],
            cls.lab.folder / "libvirtd.log",
            environment,
        )
        cls.addClassCleanup(cls.libvirtd.kill)
        cls.uri = f"qemu:///system?socket={sockets}/libvirt-sock"
        cls.wait_for_libvirtd(sockets / "libvirt-sock")
        cls.console = cls.lab.folder / f"{NAME}.console"
        cls.agent = cls.lab.folder / f"{NAME}.agent"

    @classmethod
    def wait_for_libvirtd(cls, path: Path) -> None:
        def there() -> bool:
            cls.libvirtd.check()
            return path.exists()

        wait_until(there, f"libvirtd made no socket; it said:\n{cls.libvirtd.tail()}")

    def try_virsh(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What virsh says, and whether it succeeded."""
        return run_to_end(["virsh", "-q", "-c", self.uri, *arguments], PATIENCE)

    def virsh(self, *arguments: str) -> str:
        """The output of virsh, which must succeed."""
        result = self.try_virsh(*arguments)
        self.assertEqual(
            result.returncode, 0, f"virsh {arguments}: {result.stderr}\n{self.libvirtd.tail()}"
        )
        return result.stdout

    def define(self, domain: ElementTree.Element) -> None:
        """Defines the domain."""
        description = self.lab.folder / f"{NAME}.xml"
        description.write_text(ElementTree.tostring(domain, encoding="unicode"))
        self.virsh("define", str(description))

    def domain_for_here(self) -> ElementTree.Element:
        """The documented domain with this test's paths, kernel, network and command channel."""
        domain = documented_domain()
        domain.set("type", "kvm" if self.lab.accelerator == "kvm" else "qemu")
        find(domain, "memory").text = "256"
        find(domain, "vcpu").text = "1"
        find(domain, "cpu").set("mode", "maximum")
        system = find(domain, "os")
        system.remove(find(system, "boot"))
        for tag, text in (
            ("kernel", str(self.lab.kernel.vmlinux)),
            ("initrd", str(self.lab.initramfs(self.lab.kernel))),
            (
                "cmdline",
                f"console=ttyS0 quiet panic=-1 vrdma.name={NAME} vrdma.address={ADDRESS}/24",
            ),
        ):
            ElementTree.SubElement(system, tag).text = text
        devices = find(domain, "devices")
        devices.remove(find(devices, "disk"))
        interface = find(devices, "interface")
        interface.set("type", "user")
        interface.remove(find(interface, "source"))
        find(interface, "mac").set("address", mac_of(1))
        devices.remove(find(devices, "serial"))
        serial = ElementTree.SubElement(devices, "serial", type="file")
        ElementTree.SubElement(serial, "source", path=str(self.console))
        channel = ElementTree.SubElement(devices, "channel", type="unix")
        ElementTree.SubElement(channel, "source", mode="bind", path=str(self.agent))
        ElementTree.SubElement(channel, "target", type="virtio", name=AGENT_PORT)
        commandline = find(domain, f"{{{QEMU_NAMESPACE}}}commandline")
        for argument in commandline.iter(f"{{{QEMU_NAMESPACE}}}arg"):
            value = argument.get("value", "")
            argument.set(
                "value", re.sub(r"path=[^,]*", f"path={self.lab.daemon.socket_of(1)}", value)
            )
        preload = find(commandline, f"{{{QEMU_NAMESPACE}}}env")
        preload.set("value", str(paths.qemu_device() / Path(preload.get("value", "")).name))
        return domain

    def channel(self) -> Channel:
        """A command channel into the domain that runs."""
        channel = Channel(NAME, self.agent, self.explain)
        self.addCleanup(channel.close)
        channel.connect(self.libvirtd.check, PATIENCE)
        return channel

    def explain(self) -> str:
        """What there is to say when something does not happen."""
        return f"  its console:\n{tail(self.console)}\n  libvirtd:\n{self.libvirtd.tail()}"

    def wait_rdma(self, channel: Channel) -> None:
        """Waits until the guest's RDMA device is there, with the guest's address."""
        ready = channel.start(
            f"until ibv_devinfo -v -d vrdma0 2> /dev/null | grep -q ::ffff:{ADDRESS}; "
            "do usleep 50000; done; ibv_devinfo"
        ).wait(60)
        self.assertIn("PORT_ACTIVE", ready.output)

    def assert_objects_gone(self) -> None:
        """The daemon's guest holds nothing."""
        self.lab.daemon.wait_status(
            lambda status: not any(status["vms"][0]["objects"].values()),
            "the domain's objects are gone",
        )


def main_as_root(name: str) -> None:
    """Runs the tests, unless this user cannot have a libvirtd."""
    if os.geteuid() != 0:
        print(f"{name}: skipped: only root can have a libvirtd of its own", file=sys.stderr)
        sys.exit(77)
    main()
