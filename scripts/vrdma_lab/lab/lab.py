# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A daemon, a switch and guests, as a context manager that leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from vrdma_lab import paths
from vrdma_lab.children import WorkFolder
from vrdma_lab.errors import LabError
from vrdma_lab.image.applications import build_applications
from vrdma_lab.image.disk_initramfs import build_disk_initramfs
from vrdma_lab.image.initramfs import build_initramfs
from vrdma_lab.image.module_tree import with_module_tree
from vrdma_lab.lab.daemon import Daemon, guest_name
from vrdma_lab.network.switch import Switch
from vrdma_lab.vm.accelerator import choose_accelerator
from vrdma_lab.vm.guest import Guest, GuestNetwork, GuestOptions

MAX_GUESTS = 8


class Lab:
    """Boots guests on demand; everything ends with the `with` block.

    Guests can modprobe `modules`, in addition to the modules that they load as they boot.
    """

    def __init__(
        self, kernel: str = "6.1", with_driver: bool = True, modules: tuple[str, ...] = ()
    ) -> None:
        self.kernel = paths.Kernel.find(kernel)
        self.guests: list[Guest] = []
        self._daemon: Daemon | None = None
        self._with_driver = with_driver
        self._modules = modules
        self._work = WorkFolder()
        self.folder: Path = self._work.path
        self._switch: Switch | None = None
        self._initramfs: dict[str, Path] = {}
        self._applications: Path | None = None
        self.accelerator = ""
        self.memory_folder: Path | None = None  # of the guests' memory, instead of memfds

    def __enter__(self) -> Self:
        try:
            self.accelerator = choose_accelerator(self.kernel, self.folder)
            self.connect()
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

    def connect(self) -> None:
        """Makes the guests' network."""
        self._switch = Switch(self.folder / "switch.sock")

    def guest_network(self, number: int) -> GuestNetwork:
        """Connects a guest that is about to start."""
        assert self._switch is not None
        return GuestNetwork(self._switch.netdev)

    def close(self) -> None:
        """Ends the guests, the daemon and the network, and removes their files."""
        for guest in self.guests:
            guest.kill()
        if self._daemon is not None:
            self._daemon.child.stop()
        if self._switch is not None:
            self._switch.close()
            self._switch = None
        self._work.remove()

    @property
    def daemon(self) -> Daemon:
        """The daemon, which has to be started."""
        if self._daemon is None:
            raise LabError("this lab has no daemon")
        return self._daemon

    def start_daemon(self, count: int, options: list[str] | None = None, toml: str = "") -> Daemon:
        """Starts the daemon for the guests 1 to `count`."""
        self._daemon = Daemon(self.folder, range(1, count + 1), options, toml)
        return self._daemon

    def initramfs(self, kernel: paths.Kernel) -> Path:
        """The guests' file system for a kernel, made when it is first asked for."""
        if kernel.series not in self._initramfs:
            path = self.base_initramfs(kernel)
            if self._modules:
                path = with_module_tree(
                    path, self.folder / f"initramfs-{kernel.series}-modules", kernel, self._modules
                )
            self._initramfs[kernel.series] = path
        return self._initramfs[kernel.series]

    def base_initramfs(self, kernel: paths.Kernel) -> Path:
        """The file system that all labs' guests have."""
        path = self.folder / f"initramfs-{kernel.series}"
        build_initramfs(path, kernel, paths.driver(kernel) if self._with_driver else None)
        return path

    def disk_initramfs(self, kernel: paths.Kernel) -> Path:
        """The initramfs of guests that boot a disk."""
        path = self.folder / f"initramfs-{kernel.series}-disk"
        if not path.exists():
            build_disk_initramfs(path, kernel, paths.driver(kernel))
        return path

    def applications(self) -> Path:
        """An archive for GuestOptions with the programs of image/applications.py."""
        if self._applications is None:
            path = self.folder / "applications.cpio"
            build_applications(path)
            self._applications = path
        return self._applications

    def _with_archive(self, initramfs: Path, archive: Path | None) -> Path:
        """The initramfs with an archive behind it, which the kernel unpacks as well."""
        if archive is None:
            return initramfs
        joined = self.folder / f"{initramfs.name}-with-{archive.stem}"
        with joined.open("wb") as output:
            for part in (initramfs, archive):
                with part.open("rb") as source:
                    shutil.copyfileobj(source, output)
        return joined

    def launch(
        self,
        number: int,
        options: GuestOptions = GuestOptions(),
        kernel: str | None = None,
        log_suffix: str = "",
    ) -> Guest:
        """Starts a guest's QEMU without waiting for its boot.

        A guest that is started again takes a suffix, to have logs and a command channel of its own.
        """
        chosen = paths.Kernel.find(kernel) if kernel is not None else self.kernel
        name = guest_name(number)
        socket = options.socket or (
            self._daemon.socket_of(number) if self._daemon is not None else None
        )
        guest = Guest(
            name,
            number,
            self.folder / f"{name}{log_suffix}",
            chosen,
            self._with_archive(
                self.disk_initramfs(chosen) if options.disk else self.initramfs(chosen),
                options.archive,
            ),
            self.guest_network(number),
            socket,
            self.accelerator,
            options,
            {
                other: (self.guest_network(other), self.daemon.socket_of(other))
                for other in options.more_devices
            },
            self.memory_folder,
        )
        self.guests.append(guest)
        return guest

    def boot(self, numbers: Iterable[int], options: GuestOptions = GuestOptions()) -> list[Guest]:
        """Starts guests together and waits until all have booted."""
        guests = [self.launch(number, options) for number in numbers]
        for guest in guests:
            guest.wait_booted()
        return guests
