# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""One or two host VMs and the networks between them.

A context manager has them; it leaves nothing behind.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from types import TracebackType

from vrdma_lab import paths
from vrdma_lab.children import WorkFolder
from vrdma_lab.image.host_initramfs import SHARE, build_host_initramfs
from vrdma_lab.image.initramfs import build_initramfs
from vrdma_lab.machine.agent import compile_agent
from vrdma_lab.network.switch import Switch
from vrdma_lab.test_form import form_variables, is_long
from vrdma_lab.vm.host_vm import HostVm


class HostLab:
    """Boots `count` host VMs with their RNICs up.

    The second one has the RNIC `other_rnic`, if that is not empty. The guests that programs start
    in them have the kernel `guest_kernel`.
    """

    def __init__(
        self,
        count: int = 1,
        rnic: str = "rxe",
        guest_kernel: str = "6.1",
        isolated: bool = False,
        other_rnic: str = "",
    ) -> None:
        self._count = count
        self._rnics = (rnic, other_rnic or rnic)
        self._guest_kernel = guest_kernel
        self._isolated = isolated
        self.hosts: list[HostVm] = []
        self._switches: list[Switch] = []
        self._work = WorkFolder()

    @property
    def share(self) -> Path:
        """The folder that all hosts see as SHARE and write into."""
        return self._work.path / "share"

    def __enter__(self) -> HostLab:
        try:
            self._boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _boot(self) -> None:
        self.share.mkdir()
        kernel = paths.Kernel.find(paths.HOST_KERNEL)
        initramfs = self._work.path / "host.initramfs"
        build_host_initramfs(initramfs, kernel)
        compile_agent(self.share)
        guest_kernel = paths.Kernel.find(self._guest_kernel)
        build_initramfs(
            self.share / f"initramfs-{guest_kernel.series}",
            guest_kernel,
            paths.driver(guest_kernel),
        )
        underlay, overlay = self._switch("underlay"), self._switch("overlay")
        for number in range(1, self._count + 1):
            rnic = self._rnics[number - 1]
            host = HostVm(
                number, rnic, kernel, initramfs, self.share, underlay, overlay, self._isolated
            )
            self.hosts.append(host)
        for host in self.hosts:
            host.wait_booted()

    def _switch(self, name: str) -> Switch:
        self._switches.append(Switch(self._work.path / f"{name}.sock"))
        return self._switches[-1]

    def close(self) -> None:
        """Ends the host VMs and removes their files."""
        for host in self.hosts:
            host.kill()
        self.hosts.clear()
        for switch in self._switches:
            switch.close()
        self._switches.clear()
        self._work.remove()

    def violations(self) -> list[str]:
        """What happened that the models of the hosts' adapters forbid, a line each."""
        return [line for host in self.hosts for line in host.violations()]

    def environment(self, host: HostVm) -> str:
        """Shell commands that give a program in a host VM this program's environment."""
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            **paths.python_environment(),
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
            "VRDMA_CACHE": str(paths.cache()),
            "VRDMA_BUILD": str(paths.build_folder()),
            "VRDMAD": str(paths.daemon()),
            "VRDMA_QEMU": paths.qemu(),
            "VRDMA_QEMU_DEVICE": str(paths.qemu_device()),
            "VRDMA_KERNEL": self._guest_kernel,
            # KVM works inside a host VM; this was tried by booting.
            "VRDMA_ACCEL": "kvm",
            "VRDMA_LAB_HOST": str(host.network.number),
            "VRDMA_LAB_RNIC": host.rnic,
            "VRDMA_LAB_OTHER_RNIC": self._rnics[1],
            **form_variables(is_long()),
        }
        exports = "".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()
        )
        return f"{exports}cd {shlex.quote(os.getcwd())} 2> /dev/null || cd /\n"


def seen_inside(path: Path, lab: HostLab) -> Path:
    """The path by which a host VM knows a file in the shared folder."""
    return SHARE / path.relative_to(lab.share)
