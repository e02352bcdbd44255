# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The cases that scripts/bench lab measures, and the bars for their figures."""

from __future__ import annotations

from dataclasses import dataclass

from vrdma_lab.programs.traffic import Exchange

ROUNDS = 5
MIB = 1 << 20
GIB = 1 << 30
# The bars for an RNIC that programs ring by system calls, and for one that they ring themselves.
LATENCY_BARS = ("at most 1.30", "at most 1.05")
BANDWIDTH_BARS = ("at least 0.95", "at least 0.98")
CONTROL_BAR = "at most 2 exits more"

# The tests of the program vm_exit, with the names of their figures.
EXIT = "an exit (CPUID)"
PARTS = {
    "cpuid": EXIT,
    "out": "an exit to QEMU (port write)",
    "wake": "waking a process that wakes this one",
}

# The tables by their keys in the JSON, with their titles.
GROUPS = {
    "parts": "What a request to the host consists of",
    "latency": "One message at a time, the daemon asleep before each",
    "spinning": "One message at a time, the daemon spinning on a processor of its own",
    "bandwidth": "Bandwidth",
    "curves": "Latency and bandwidth by the size of a message",
    "control": "Control verbs",
    "regions": "Large memory regions",
    "connections": "Connections (cmtime), the guest on the direct path",
    "connections_embedded": "Connections (cmtime), the guest on the embedded RNIC",
}
# Groups that are measured on a host whose second processor is the guest's, or that of a native
# program.
ISOLATED_GROUPS = ("spinning",)


@dataclass(frozen=True)
class LatencyCase:
    """Messages of one kind, one at a time, of a side to itself."""

    title: str
    transport: str
    operation: str
    bytes: int
    wait: str = "yield"
    iterations: int = 10000

    @property
    def options(self) -> str:
        """The options of rdma_latency that measure this case."""
        return (
            f"--transport {self.transport} --operations {self.operation} --sizes {self.bytes} "
            f"--wait {self.wait} --iterations {self.iterations}"
        )

    @property
    def name(self) -> str:
        """The name of the figure."""
        return f"{self.title}, {'events' if self.wait == 'event' else 'polling'}"

    def bar(self, rings_itself: bool) -> str:
        """The bar for the ratio, or nothing."""
        return LATENCY_BARS[rings_itself] if self.title in ("RC WRITE", "RC SEND") else ""


def _rc(operation: str, sizes: tuple[int, ...], wait: str = "yield") -> tuple[LatencyCase, ...]:
    return tuple(
        LatencyCase(f"RC {operation.upper()}", "rc", operation, size, wait) for size in sizes
    )


LATENCY = (
    *_rc("write", (2, 4096)),
    *_rc("send", (2, 4096)),
    *_rc("write", (2, 4096), "event"),
    *_rc("send", (2, 4096), "event"),
    *_rc("read", (2, 4096)),
    LatencyCase("RC FETCH_AND_ADD", "rc", "fetch-add", 8),
    LatencyCase("UC SEND", "uc", "send", 2),
    LatencyCase("UD SEND", "ud", "send", 2),
)

SPINNING = (
    *_rc("write", (2, 4096)),
    *_rc("send", (2, 4096)),
    *_rc("read", (2, 4096)),
    LatencyCase("RC FETCH_AND_ADD", "rc", "fetch-add", 8),
    LatencyCase("UC SEND", "uc", "send", 2),
    LatencyCase("UD SEND", "ud", "send", 2),
)

# The server of a WRITE sleeps anyway; the server of a SEND does so with completion events. With a
# list of requests for a doorbell the RNIC sets the pace, also where the processor is emulated.
BANDWIDTH = (
    Exchange("ib_write_bw", MIB, 100),
    Exchange("ib_write_bw", MIB, 500, ("-l", "50")),
    Exchange("ib_send_bw", MIB, 100, ("-e",)),
)

# The curves of --picture, by the sizes of their messages.
CURVE_LATENCY = tuple(
    LatencyCase("RC WRITE", "rc", "write", size, iterations=2000)
    for size in (2, 8, 32, 128, 512, 2048, 8192, 32768)
)
# As many messages as take longer than the few milliseconds in which one tick of a clock shows.
CURVE_BANDWIDTH = tuple(
    Exchange("ib_write_bw", size, messages, ("-l", "50"))
    for size, messages in (
        *((64, 20000), (512, 20000), (4096, 15000)),
        *((32768, 2000), (262144, 500), (MIB, 500)),
    )
)


@dataclass(frozen=True)
class ControlCase:
    """Verbs that make and destroy an object, again and again."""

    test: str
    bytes: int = 0
    iterations: int = 100

    @property
    def options(self) -> str:
        """The options of rdma_control that measure this case."""
        size = f"--sizes {self.bytes} " if self.bytes else ""
        return f"--tests {self.test} {size}--iterations {self.iterations}"

    @property
    def verbs(self) -> int:
        """How many verbs one run measures; 0 if it does others besides."""
        return 0 if self.test == "connect" else 2 * self.iterations


CONTROL = (
    *(ControlCase(test) for test in ("pd", "cq", "qp", "connect", "srq", "ah")),
    *(ControlCase("mr", size) for size in (4096, MIB)),
    ControlCase("mr", 64 * MIB, 10),
)

# How many connections cmtime makes at once.
CONNECTIONS = 50

# Memory regions: the kind of their pages, and their bytes.
REGIONS = (("scattered", GIB), ("hugetlb", GIB))


def verb_name(test: str) -> str:
    """The name of a verb as the specification writes it."""
    return "MODIFY_QP to RTS" if test == "connect_qp" else test.upper()
