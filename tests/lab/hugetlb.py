# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests whose RAM is on hugetlbfs: what works, what is refused, and who is told."""

from __future__ import annotations

from support_py.registration import table
from support_py.suite import PATIENCE, HostTest, main
from vrdma_lab.machine.side import Side
from vrdma_lab.paths import lab_program
from vrdma_lab.programs import traffic
from vrdma_lab.programs.traffic import Exchange
from vrdma_lab.vm.guest import Guest, GuestOptions

PAGE_MIB = 2
GUEST_MIB = 256
HOST_PAGES = GUEST_MIB // PAGE_MIB + 8
GUEST_PAGES = 16
MALLOC_HUGE = "GLIBC_TUNABLES=glibc.malloc.hugetlb=2"

SUCCESS = "Success"
REFUSED = "Operation not supported"
INVALID = "Invalid argument"

# What the kernel answers to the ways by which scattered small pages could be put side by side. When
# a kernel answers otherwise, docs/operations.md ("Guest RAM on huge pages") has to be written anew.
KERNEL = {
    "mapping the file at a small page's offset": INVALID,
    "mapping the file at an address that is no huge page's": INVALID,
    "duplicating a small page of a mapping (mremap of 0 bytes)": INVALID,
    "moving a small page of a mapping (mremap)": INVALID,
    "other pages in a mapping (remap_file_pages)": INVALID,
    # Debian's kernel 6.1 has no udmabuf; the one of Linux 6.1 takes no huge pages.
    "a dma-buf of two pages": "No such file or directory",
}
EVERYTHING = {
    "scattered small pages": SUCCESS,
    "one small page": SUCCESS,
    "transparent huge pages": SUCCESS,
    "a part of transparent huge pages": SUCCESS,
    "huge pages": SUCCESS,
}


class Hugetlb(HostTest):
    """Guest a has RAM on hugetlbfs, guest b as the log advises."""

    @classmethod
    def prepare(cls) -> None:
        cls.host.native.must(f"echo {HOST_PAGES} > /proc/sys/vm/nr_hugepages")
        cls.host.serve((1, 2))
        cls.host.boot([1], GuestOptions(memory_mib=GUEST_MIB, huge_pages=True))
        cls.host.boot([2])
        for guest in cls.host.guests:
            # Linux turns transparent ones off as it boots with less than 512 MiB.
            guest.must(
                f"echo {GUEST_PAGES} > /proc/sys/vm/nr_hugepages; "
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
            )

    @property
    def a(self) -> Guest:
        return self.host.guests[0]

    @property
    def b(self) -> Guest:
        return self.host.guests[1]

    def registrations(self, side: Side) -> dict[str, str]:
        return table(side.must(f"huge_page_edges {side.device}", PATIENCE))

    def test_the_kernel_has_no_way_for_a_part_of_a_huge_page(self) -> None:
        output = self.host.native.must(str(lab_program("huge_page_edges")))
        self.assertEqual(table(output), KERNEL)

    def test_the_operator_is_told_as_the_guest_starts(self) -> None:
        log = [line for line in self.host.daemon.log().splitlines() if "hugetlbfs" in line]
        (line,) = (line for line in log if "its RAM is on" in line)
        self.assertIn(" a: ", line)
        self.assertIn("memory-backend-memfd without hugetlb=on", line)
        huge, ordinary = self.host.daemon.status()["vms"]
        self.assertEqual(huge["memory"]["page_size"], PAGE_MIB << 20)
        self.assertIn("scattered small pages", huge["memory"]["limit"])
        self.assertEqual(ordinary["memory"], {"page_size": 4096, "limit": None})

    def test_scattered_small_pages_alone_are_refused(self) -> None:
        found = self.registrations(self.a)
        self.assertEqual(found, EVERYTHING | {"scattered small pages": REFUSED})

    def test_the_advice_helps(self) -> None:
        self.assertEqual(self.registrations(self.b), EVERYTHING)

    def test_perftest_chooses_scattered_small_pages_and_is_refused(self) -> None:
        result = traffic.run(self.a, self.a, Exchange("ib_write_bw", 65536, 100), PATIENCE)
        self.assertIn("Couldn't allocate MR", result.error)

    def test_perftest_on_huge_pages_works(self) -> None:
        for tool in ("ib_write_bw", "ib_send_bw", "ib_read_lat"):
            self.exchange(self.a, self.a, Exchange(tool, 65536, 100, ("--use_hugepages",)))
            # The C library's own allocations, of a program that knows nothing of huge pages.
            self.exchange(self.a, self.a, Exchange(f"{MALLOC_HUGE} {tool}", 65536, 100))


if __name__ == "__main__":
    main()
