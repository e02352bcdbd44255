# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs rdma-core's tests on this RDMA host: natively, and in a guest on its RNIC.

    python3 -m vrdma_lab.conformance.host VERSION TARGETS REPORT PATTERN

The targets have the same RNIC. The report is a JSON object: the runner's lines for each target.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vrdma_lab.children import raise_on_signals
from vrdma_lab.conformance.run import VERSIONS, Line, Version, boot, run
from vrdma_lab.conformance.targets import TARGETS
from vrdma_lab.host.rdma_host import RdmaHost
from vrdma_lab.network.overlay import PREFIX_LENGTH


def _native(host: RdmaHost, version: Version, pattern: str) -> list[Line]:
    return run(host.native, version, host.native.underlay, pattern)


def _direct(host: RdmaHost, version: Version, pattern: str) -> list[Line]:
    host.serve((1,))
    guest = boot(host, version)
    # Datagrams are answered by the addresses in their GRH, which are the guest's own only if they
    # are announced. The tests take the first address of the netdev, so the guest gets the address
    # that the RNIC has for it as its only one.
    guest.must(f"ip addr del {guest.ip}/{PREFIX_LENGTH} dev eth0")
    return run(guest, version, guest.underlay, pattern)


_SIDES = {"native": _native, "direct": _direct}


def main() -> None:
    version_name, targets, report, pattern = sys.argv[1:]
    raise_on_signals()
    version = VERSIONS[version_name]
    (rnic,) = {TARGETS[target].rnic for target in targets.split(",")}
    with RdmaHost(version.kernel, rnic) as host:
        found = {}
        for target in targets.split(","):
            print(f"{version.name}: {target} ...", file=sys.stderr)
            found[target] = _SIDES[TARGETS[target].side](host, version, pattern)
    Path(report).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
