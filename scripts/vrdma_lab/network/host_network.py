# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The networks of an RDMA host.

The underlay is the network of its RNIC, the overlay that of its guests. Everything is a shell
script, because it is run on the host itself as well as from outside of a host VM.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vrdma_lab import paths
from vrdma_lab.network.overlay import NETWORK, PREFIX_LENGTH
from vrdma_lab.network.rnics import KINDS

UNDERLAY = "10.9.0"
BRIDGE = "vrdma-br"
_MELLANOX = "0x15b3"  # the PCI vendor of the model
# Debian's kernels come without siw.
_LOAD_SIW = (
    "{{ [ -e /sys/module/siw ] || modprobe -q siw || "
    "{{ modprobe -a iw_cm libcrc32c && insmod {path}; }}; }}"
)
# The port of the server that a host has for other hosts (host_server.py). The agents of its guests
# have the ports after it.
SERVER_PORT = 7700


def guest_underlay(number: int) -> str:
    """The address by which a guest is known in the underlay.

    The guest's host has this address too, so that the host's RNIC has its GID.
    """
    return f"{UNDERLAY}.{10 + number}"


@dataclass(frozen=True)
class HostNetwork:
    """The connections of one host.

    `underlay` and `uplink` are its network devices; a host without an uplink is on its own.
    """

    number: int
    underlay: str
    uplink: str = ""
    dummy: bool = False  # the underlay's device is made by setup()

    @property
    def address(self) -> str:
        """The host's address in the overlay."""
        return f"{NETWORK}.{200 + self.number}"

    @property
    def underlay_address(self) -> str:
        """The host's address in the underlay."""
        return f"{UNDERLAY}.{self.number}"

    @property
    def server(self) -> tuple[str, int]:
        """The address at which this host takes requests from another."""
        return self.address, SERVER_PORT

    def agent_of(self, number: int) -> tuple[str, int]:
        """The address at which a guest on this host takes commands from another host."""
        return self.address, SERVER_PORT + number

    def load_driver(self, kind: str) -> str:
        """Commands that load the driver of an RNIC that is a device of the host."""
        if not KINDS[kind].model:
            return ""
        # Programs open it through these (rdma_ucm, ib_uverbs), which udev would load.
        return (
            "set -e; modprobe -a mlx5_core mlx5_ib rdma_ucm ib_uverbs; "
            f"until [ -e /sys/class/infiniband/{KINDS[kind].device} ]; do sleep 0.05; done\n"
        )

    def setup(self) -> str:
        """Commands that make the networks, without guests."""
        # With a forwarding delay, a port of a bridge is deaf for its first seconds.
        lines = [
            "set -e",
            *([f"ip link add {self.underlay} type dummy"] if self.dummy else []),
            f"ip addr add {self.underlay_address}/{PREFIX_LENGTH} dev {self.underlay}",
            f"ip link set {self.underlay} up",
            f"ip link add {BRIDGE} type bridge forward_delay 0",
            f"ip addr add {self.address}/{PREFIX_LENGTH} dev {BRIDGE}",
            f"ip link set {BRIDGE} up",
        ]
        if self.uplink:
            lines += [f"ip link set {self.uplink} master {BRIDGE}", f"ip link set {self.uplink} up"]
        return "\n".join(lines) + "\n"

    def teardown(self) -> str:
        """Commands that take away what setup() made, and the RNIC with the underlay's device."""
        commands = [
            f"ip link del {BRIDGE}",
            f"ip addr del {self.underlay_address}/{PREFIX_LENGTH} dev {self.underlay}",
        ]
        if self.dummy:
            commands[1] = f"ip link del {self.underlay}"
        return "; ".join(commands) + "\n"

    def add_rnic(self, kind: str) -> str:
        """Commands that load the RNIC's driver and make the RNIC."""
        device = KINDS[kind].device
        if KINDS[kind].model:
            return f"until ibv_devinfo -d {device} | grep -q PORT_ACTIVE; do sleep 0.05; done\n"
        load = (
            "modprobe rdma_rxe"
            if kind == "rxe"
            else _LOAD_SIW.format(path=paths.siw("$(uname -r)"))
        )
        return f"{load} && rdma link add {device} type {kind} netdev {self.underlay}\n"

    def remove_rnic(self, kind: str) -> str:
        """The command that takes the RNIC from all who use it."""
        device = KINDS[kind].device
        if not KINDS[kind].model:
            return f"rdma link delete {device}"
        function = f"$(basename $(readlink -f /sys/class/infiniband/{device}/device))"
        return f"echo {function} > /sys/bus/pci/drivers/mlx5_core/unbind"

    def restore_rnic(self, kind: str, guests: Iterable[int]) -> str:
        """Commands that make the RNIC again after remove_rnic(), with these guests on the host."""
        if not KINDS[kind].model:
            return self.add_rnic(kind)
        # The adapter's network device went with it, and its addresses.
        lines = [
            "set -e",
            "for function in /sys/bus/pci/devices/*; do",
            f'[ -e $function/driver ] || [ "$(cat $function/vendor)" != {_MELLANOX} ] || '
            "echo ${function##*/} > /sys/bus/pci/drivers/mlx5_core/bind",
            "done",
            f"until [ -e /sys/class/infiniband/{KINDS[kind].device} ]; do sleep 0.05; done",
        ]
        if not KINDS[kind].infiniband:
            addresses = [f"{self.underlay_address}/{PREFIX_LENGTH}"]
            addresses += [f"{guest_underlay(number)}/32" for number in guests]
            lines += [f"until [ -e /sys/class/net/{self.underlay} ]; do sleep 0.05; done"]
            lines += [f"ip addr add {address} dev {self.underlay}" for address in addresses]
            lines += [f"ip link set {self.underlay} up"]
        return "\n".join(lines) + "\n" + self.add_rnic(kind)

    def add_guest(self, number: int) -> str:
        """Commands that make a tap for a guest, and its underlay address."""
        tap = tap_of(number)
        return (
            f"set -e; ip tuntap add {tap} mode tap; ip link set {tap} master {BRIDGE} up; "
            f"ip addr add {guest_underlay(number)}/32 dev {self.underlay}\n"
        )

    def remove_guest(self, number: int) -> str:
        """Commands that take away what add_guest() made."""
        address = f"{guest_underlay(number)}/32"
        return f"ip addr del {address} dev {self.underlay}; ip link del {tap_of(number)}\n"


def tap_of(number: int) -> str:
    """The name of a guest's tap."""
    return f"vrdma-tap{number}"
