# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""librdmacm on RoCE.

The host's connection manager makes the connections of programs in guests.
"""

from __future__ import annotations

from support_py.rdmacm import GUESTS, RdmaCmTest
from support_py.suite import PATIENCE, GuestsTest, long_form_only, main, record
from vrdma_lab.machine.side import Side
from vrdma_lab.paths import lab_program
from vrdma_lab.programs.rdmacm import PROGRAMS, Program


class RdmaCm(GuestsTest, RdmaCmTest):
    # rdma_xserver runs by RC; rxe has no XRC.
    programs = (
        *PROGRAMS,
        Program(
            "rdma_xserver -p {port}", "rdma_xclient -s {address} -p {port}", "rdma_xclient: end 0"
        ),
    )

    @classmethod
    def prepare(cls) -> None:
        cls.host.serve((1, 2))
        cls.host.boot((1, 2), GUESTS)

    def listens(self, server: Side) -> Side:
        return self.host.native

    def addresses(self, server: Side, client: Side, program: Program) -> tuple[str, str]:
        if program.datagrams:
            # Headers of datagrams are the underlay's, where only announced addresses are the same.
            return server.underlay, client.underlay
        return super().addresses(server, client, program)

    def suits(self, program: Program, server: Side, client: Side) -> bool:
        """Whether both sides can send the program's datagrams.

        Where the RNIC's library writes paths into requests, a guest can from an address that has
        the same index in its own table of GIDs and in the RNIC's (vrdmad refuses the others).
        """
        if not program.datagrams or not self.host.kind.writes_paths:
            return True
        native = self.host.native
        return all(
            side.gid_index(side.underlay) == native.gid_index(side.underlay)
            for side in (server, client)
        )

    @long_form_only
    def test_programs_of_the_host_with_itself(self) -> None:
        self.run_programs(self.host.native, self.host.native)

    @long_form_only
    def test_programs_of_a_guest_with_itself(self) -> None:
        self.run_programs(self.a, self.a)

    def test_programs_from_guest_to_guest(self) -> None:
        self.run_programs(self.b, self.a)

    def test_programs_from_a_guest_to_the_host(self) -> None:
        self.run_programs(self.host.native, self.a)

    def test_programs_from_the_host_to_a_guest(self) -> None:
        self.run_programs(self.a, self.host.native)

    @long_form_only
    def test_multicast_of_the_host_with_itself(self) -> None:
        self.multicast(self.host.native, self.host.native)

    def test_multicast_from_guest_to_guest(self) -> None:
        self.multicast(self.b, self.a)

    @long_form_only
    def test_multicast_from_a_guest_to_the_host(self) -> None:
        self.multicast(self.host.native, self.a)

    def test_multicast_from_the_host_to_a_guest(self) -> None:
        self.multicast(self.a, self.host.native)

    def copied(self, server: Side, client: Side) -> None:
        said = self.copy(server, client)
        record(program="rcopy", server=server.name, client=client.name, result=said)

    def test_a_large_file_is_copied_from_guest_to_guest(self) -> None:
        self.copied(self.b, self.a)

    @long_form_only
    def test_a_large_file_is_copied_from_a_guest_to_the_host(self) -> None:
        self.copied(self.host.native, self.a)

    @long_form_only
    def test_a_large_file_is_copied_from_the_host_to_a_guest(self) -> None:
        self.copied(self.a, self.host.native)

    def test_datagram_rsockets_fail_as_on_the_host(self) -> None:
        self.assert_no_datagram_rsockets(self.host.native)
        self.assert_no_datagram_rsockets(self.a)

    def test_nobody_listening_is_a_rejection(self) -> None:
        self.assert_rejected(self.host.native, self.host.native)
        self.assert_rejected(self.b, self.a)
        self.assert_rejected(self.host.native, self.a)

    def test_a_guest_meets_the_same_limits_of_the_file_as_a_program_of_the_host(self) -> None:
        native = self.host.native.must(
            f"{lab_program('rdma_cm_edges')} {self.host.native.underlay}"
        )
        guest = self.a.must(f"rdma_cm_edges {self.a.ip}")
        self.assertEqual(guest.splitlines(), native.splitlines())

    def test_a_program_whose_memory_does_not_answer_does_not_hold_the_device(self) -> None:
        stalled = self.a.start("rdma_cm_edges stalled")
        stalled.wait_for("stalled", PATIENCE)
        driver = "/sys/bus/virtio/drivers/vrdma"
        device = self.a.must(f"cd {driver} && ls -d virtio*").strip()
        self.assertTrue(self.a.run(f"echo {device} > {driver}/unbind", PATIENCE).ok)
        self.a.must(f"echo {device} > {driver}/bind")
        stalled.kill()
        self.a.wait_device()
        self.run_program(PROGRAMS[0], self.a, self.a)

    def test_the_guests_kernel_leaves_the_file_to_vrdma(self) -> None:
        self.assertIn("rdma_cm", self.a.must("ls /dev/infiniband").split())
        self.assertEqual(self.a.must("cat /sys/class/misc/rdma_cm/abi_version"), "4\n")
        self.assertNotIn("rdma_ucm", self.a.must("cat /proc/modules"))
        self.assertIn("File exists", self.a.run("insmod /lib/modules/rdma_ucm.ko").output)

    def test_vrdma_takes_the_file_over_from_rdma_ucm(self) -> None:
        self.a.must(
            "rmmod vrdma && insmod /lib/modules/rdma_ucm.ko && insmod /lib/modules/vrdma.ko"
        )
        self.a.wait_device()
        self.assertIn("rmmod rdma_ucm, and vrdma takes its place", self.a.must("dmesg"))
        self.a.must("rmmod rdma_ucm")
        self.run_program(PROGRAMS[0], self.a, self.a)

    @classmethod
    def tearDownClass(cls) -> None:
        for side in (*cls.host.guests, cls.host.native):
            assert side.complaints() == "", side.complaints()


if __name__ == "__main__":
    main()
