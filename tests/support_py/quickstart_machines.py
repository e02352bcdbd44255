# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The machines that docs/quickstart.md begins with: a host with libvirt and two domains that boot.

Both are clean Debians. The page's packages lie in root's folder, and the domains have the addresses
that the page names. The host's root reaches them by ssh.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vrdma_lab.image.agent_service import DiskFile
from vrdma_lab.packages.clean_debian import CleanDebian, copy_of
from vrdma_lab.packages.debian_disk import (
    DebianDisk,
    add_files,
    kernel_release,
    make_disk_base,
    write_disk,
    write_file_system,
)
from vrdma_lab.setup.runner import Runner
from vrdma_lab.vm.debian_vm import DebianVm

DEBIANS = {"bookworm": "12", "trixie": "13"}
# The names and addresses that the page has.
DOMAINS = {"rdma1": "192.168.122.11", "rdma2": "192.168.122.12"}
_GUEST = ("openssh-server",)
_HOST = ("apparmor", "openssh-client", "qemu-system-x86", "qemu-utils", "libvirt-daemon-system",
         "libvirt-clients", "dnsmasq-base", "iptables", "nftables")
_GUEST_GIB = 4
_HOST_GIB = 6
_IMAGES_GIB = 16
_HOST_MIB = 4096
_IMAGES = "/var/lib/libvirt/images"
# Nobody is there to answer apt.
_ANSWER = DiskFile("/etc/apt/apt.conf.d/90vrdma-lab", b'APT::Get::Assume-Yes "true";\n')
_KEY = "/root/.ssh/id_ed25519"
_SSH = """Host *
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ConnectTimeout 60
"""
# A domain as an owner had it before, started without a boot loader.
_DOMAIN = """<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>768</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{images}/kernel</kernel>
    <initrd>{images}/initramfs</initrd>
    <cmdline>root=/dev/vda rw console=ttyS0 quiet mitigations=off tsc=reliable no_timer_check \
cryptomgr.notests systemd.hostname={name}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{images}/{name}.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='{mac}'/>
      <source network='default'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <serial type='file'>
      <source path='/var/log/libvirt/qemu/{name}.console'/>
    </serial>
  </devices>
</domain>
"""
_LEASE = "<host mac='{mac}' ip='{address}'/>"


def on_domain(domain: str, command: str) -> str:
    """What the host runs to run a command in a domain."""
    return f"ssh root@{DOMAINS[domain]} {shlex.quote(command)}"


def _mac(domain: str) -> str:
    return f"52:54:00:12:34:{list(DOMAINS).index(domain) + 1:02x}"


class QuickstartMachines:
    """The disks of the machines in an empty `folder`, and sockets and logs in `work`."""

    def __init__(self, runner: Runner, suite: str, folder: Path, work: Path) -> None:
        self._runner = runner
        self._suite = suite
        self._folder = folder
        self._work = work

    def install_driver(self, packages: Iterable[Path], commands: Iterable[str]) -> str:
        """Makes the disk of the domains, on which the commands have run; what DKMS has built then.

        They run in a folder: `uname -r` says there which kernel the domains will have.
        """
        with self._debian("guest", _GUEST, packages) as debian:
            release = shlex.quote(kernel_release(debian))
            for block in commands:
                script = f'uname() {{ [ "$*" = -r ] && echo {release}; }}\n{block}'
                debian.run("bash", "-exc", script, folder="/root", network=True)
            status = debian.read("dkms", "status")
            self._write_disk(debian, "guest", _GUEST_GIB)
            return status

    @contextmanager
    def host(self, packages: Iterable[Path]) -> Iterator[DebianVm]:
        """The host, with two domains that are defined."""
        with self._debian("host", _HOST, packages) as debian:
            disk = self._write_disk(debian, "host", _HOST_GIB)
        images = self._folder / "images"
        write_file_system(self._runner, self._folder / "guest", images, _IMAGES_GIB)
        host = DebianVm("host", disk, self._work, _HOST_MIB, (images,))
        try:
            host.wait_booted()
            host.follow(self._preparation())
            yield host
        finally:
            host.kill()

    @contextmanager
    def _debian(
        self, name: str, needed: Iterable[str], packages: Iterable[Path]
    ) -> Iterator[CleanDebian]:
        """A Debian with packages in root's folder, and the lists of the mirror's packages."""
        base = make_disk_base(self._runner, self._suite, f"libvirt-{name}", needed)
        with copy_of(self._runner, base) as debian:
            debian.put(*packages, folder="/root")
            add_files(self._runner, debian, (_ANSWER,), self._work)
            debian.run("apt-get", "-q", "update", network=True)
            yield debian

    def _write_disk(self, debian: CleanDebian, name: str, gib: int) -> DebianDisk:
        folder = self._folder / name
        folder.mkdir()
        add_files(self._runner, debian, self._login(debian), folder)
        return write_disk(self._runner, debian, name, folder, gib)

    def _login(self, debian: CleanDebian) -> list[DiskFile]:
        """The files by which the host's root is let into the domains."""
        key, public = self._work / "key", self._work / "key.pub"
        if not key.exists():
            # The guest's Debian is the first, and has the program.
            debian.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/tmp/key")
            key.write_text(debian.read("cat", "/tmp/key"))
            public.write_text(debian.read("cat", "/tmp/key.pub"))
        return [
            DiskFile(_KEY, key.read_bytes(), 0o600),
            DiskFile("/root/.ssh/config", _SSH.encode()),
            DiskFile("/root/.ssh/authorized_keys", public.read_bytes(), 0o600),
        ]

    def _preparation(self) -> str:
        """The commands that bring the host to where the page begins."""
        lines = ["set -ex", f"mount /dev/vdb {_IMAGES}"]
        for name, address in DOMAINS.items():
            mac = _mac(name)
            lease = _LEASE.format(mac=mac, address=address)
            domain = _DOMAIN.format(name=name, images=_IMAGES, mac=mac)
            lines += [
                f"qemu-img create -q -f qcow2 -b image -F raw {_IMAGES}/{name}.qcow2",
                f"virsh net-update default add ip-dhcp-host {shlex.quote(lease)} --config",
                f"echo {shlex.quote(domain)} > /run/{name}.xml",
                f"virsh define /run/{name}.xml",
            ]
        return "\n".join([*lines, "virsh net-start default"])
