# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The kinds of RNICs that a host can have, as the option --rnic names them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Kind:
    """A kind of RNIC."""

    device: str  # its name, as ibv_devices says it
    provider: str  # the library of rdma-core that drives it
    underlay: str = "eth0"  # the network device of a host VM whose addresses the RNIC has
    uplink: str = "eth1"  # the network device of a host VM for its guests
    infiniband: bool = False  # whether its port is InfiniBand, not Ethernet
    rings_itself: bool = False  # whether programs ring the adapter, not its driver by a system call
    # Whether the library writes a datagram's path into the request: then a guest's datagrams need
    # GIDs that the RNIC has itself (docs/adding-an-rnic.md).
    writes_paths: bool = False
    model: str = ""  # the properties of tests/connectx, if it is that device of a host VM

    @property
    def is_nic(self) -> bool:
        """Whether the RNIC itself is what a host VM has at the underlay."""
        return bool(self.model) and not self.infiniband


# The network device of the model comes after the one for guests.
_MLX5 = Kind(
    "mlx5_0",
    "mlx5",
    underlay="eth1",
    uplink="eth0",
    rings_itself=True,
    writes_paths=True,
    model="ethernet=on",
)

KINDS = {
    "rxe": Kind("rxe0", "rxe"),
    "siw": Kind("siw0", "siw"),
    "mlx5": _MLX5,
    # The same behind a network that loses, doubles, delays and changes frames of RoCE, in 10000ths.
    "mlx5-faulty": replace(
        _MLX5, model=f"{_MLX5.model},lost=100,doubled=100,reordered=100,corrupted=50"
    ),
    "mlx5-ib": Kind("mlx5_0", "mlx5", infiniband=True, rings_itself=True, model="ethernet=off"),
}
