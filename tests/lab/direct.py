# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests on the host's RNIC.

They see the RNIC's attributes, and run Debian's programs among them and with the host itself.
"""

from __future__ import annotations

from support_py import registration
from support_py.suite import GuestsTest, long_form_only, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.side import Side
from vrdma_lab.paths import lab_program
from vrdma_lab.programs import devinfo
from vrdma_lab.programs.traffic import Exchange

# What guests are not told of, as there are no verbs of theirs for it (enum
# ib_uverbs_device_cap_flags): alternate paths, checksums of IPoIB, raw packets and flows.
LEFT_OUT = {
    "AUTO_PATH_MIG": 1 << 4,
    "UD_IP_CSUM": 1 << 18,
    "RAW_IP_CSUM": 1 << 26,
    "MANAGED_FLOW_STEERING": 1 << 29,
    "RAW_SCATTER_FCS": 1 << 34,
}

# That the RNIC has extended reliable connections (likewise).
XRC = 1 << 20

# A datagram of verb_effects, to its own sender.
LAST_MESSAGE = "a message whose queue pair is gone"

PINGPONGS = ("rc", "uc", "ud", "srq")
VERBS = ("send", "write", "read", "atomic")

# Limits of which a guest may have less than the RNIC, but not more.
LIMITS = (
    "max_mr_size",
    "max_qp",
    "max_qp_wr",
    "max_sge",
    "max_cq",
    "max_cqe",
    "max_mr",
    "max_mw",
    "max_pd",
    "max_srq",
    "max_ah",
)
# Attributes that a guest has to have as the RNIC has them.
SAME = (
    "transport",
    "vendor_id",
    "vendor_part_id",
    "max_mtu",
    "active_mtu",
    "atomic_cap",
    "link_layer",
    "max_mcast_grp",
    "max_mcast_qp_attach",
)


class Direct(GuestsTest, registration.RegistrationTest):
    def test_the_guest_sees_the_rnics_capabilities(self) -> None:
        native = devinfo.attributes(self.host.native.must(f"ibv_devinfo -v -d {self.host.device}"))
        guest = devinfo.attributes(self.a.must("ibv_devinfo -v -d vrdma0"))
        for name in SAME:
            with self.subTest("the same", attribute=name):
                self.assertEqual(guest[name], native[name])
        with self.subTest("the same, but for what is left out"):
            flags = int(native["device_cap_flags"], 0) & ~sum(LEFT_OUT.values())
            self.assertEqual(int(guest["device_cap_flags"], 0), flags)
        for name in LIMITS:
            with self.subTest("no more than the RNIC has", attribute=name):
                here, there = int(guest[name], 0), int(native[name], 0)
                self.assertLessEqual(here, there)
                self.assertEqual(here > 0, there > 0)

    def test_the_port_is_active(self) -> None:
        self.assertRegex(self.a.must("ibv_devinfo -d vrdma0"), r"state:\s+PORT_ACTIVE")

    def test_the_provider_is_the_distributions_for_the_rnic(self) -> None:
        words = ["exec", "env", LINE_BUFFERED, "ibv_rc_pingpong", "-e", "-d", "vrdma0"]
        program = self.a.start(" ".join([*words, *self.a.gid_option("-g", self.b)]))
        program.wait_for("local address")
        maps = self.a.must("cat /proc/$(pidof ibv_rc_pingpong)/maps")
        program.kill()
        self.assertRegex(maps, rf"/libibverbs/lib{self.host.kind.provider}-rdmav\d+\.so")

    def test_a_guest_meets_the_same_limits_of_its_uverbs_file_as_a_program_of_the_host(
        self,
    ) -> None:
        if self.host.rnic != "rxe":
            self.skipTest("the program knows the private bytes of rxe")
        native = self.host.native.must(
            f"{lab_program('uverbs_edges')} {self.host.device}"
        ).splitlines()
        guest = self.a.must("uverbs_edges vrdma0").splitlines()
        beyond = "room for more private bytes than rxe has: "
        self.assertIn(beyond + "Invalid argument", guest)
        self.assertEqual(
            [line for line in guest if not line.startswith(beyond)],
            [line for line in native if not line.startswith(beyond)],
        )

    def test_verbs_have_the_same_effects_as_for_a_program_of_the_host(self) -> None:
        native = self.host.native.must(f"{lab_program('verb_effects')} {self.host.device}")
        expected = native.splitlines()
        if self.host.kind.writes_paths:
            refused = f"{LAST_MESSAGE}: Cannot assign requested address"
            expected = [refused if LAST_MESSAGE in line else line for line in expected]
        self.assertEqual(self.a.must("verb_effects vrdma0").splitlines(), expected)

    def test_thread_domains_are_as_for_a_program_of_the_host(self) -> None:
        native = self.host.native.must(f"{lab_program('thread_domains')} {self.host.device}")
        self.assertEqual(self.a.must("thread_domains vrdma0").splitlines(), native.splitlines())

    def has_xrc(self) -> bool:
        """Whether the host's RNIC has extended reliable connections."""
        native = devinfo.attributes(self.host.native.must(f"ibv_devinfo -v -d {self.host.device}"))
        return bool(int(native["device_cap_flags"], 0) & XRC)

    def test_processes_share_a_domain_of_xrc_as_programs_of_the_host_do(self) -> None:
        if not self.has_xrc():
            self.skipTest("the RNIC has no XRC")
        native = self.host.native.must(f"{lab_program('xrc_sharing')} {self.host.device}")
        self.assertIn("a target whose maker has ended: Success", native)
        self.assertEqual(self.a.must("xrc_sharing vrdma0").splitlines(), native.splitlines())

    def test_messages_by_xrc_among_guests_and_with_the_host(self) -> None:
        if not self.has_xrc():
            self.skipTest("the RNIC has no XRC")
        for server in (self.b, self.host.native):
            for verb in ("send", "write", "read"):
                self.exchange(server, self.a, Exchange(f"ib_{verb}_lat", 8, 10, ("-c", "XRC")))
            self.exchange(server, self.a, Exchange("ib_send_bw", 65536, 100, ("-c", "XRC")))

    def test_a_guest_cannot_do_to_rxe_what_a_program_of_the_host_could(self) -> None:
        if self.host.rnic != "rxe":
            self.skipTest("what rxe does not survive is no test of another driver")
        self.a.must("uverbs_edges vrdma0 fatal")

    def pingpong_kinds(self) -> tuple[str, ...]:
        """The programs that run between a guest's own addresses."""
        datagrams = not self.host.kind.writes_paths
        return PINGPONGS if datagrams else tuple(kind for kind in PINGPONGS if kind != "ud")

    # Two pollers on one processor take turns by time slices. Programs wait for events, or do few
    # iterations if they cannot.
    def pingpongs(self, server: Side, client: Side, polling: bool = False) -> None:
        for kind in self.pingpong_kinds():
            self.exchange(server, client, Exchange(f"ibv_{kind}_pingpong", 1024, 100, ("-c", "-e")))
            if polling:
                self.exchange(server, client, Exchange(f"ibv_{kind}_pingpong", 1024, 10, ("-c",)))

    def perftest(self, server: Side, client: Side) -> None:
        for verb in VERBS:
            self.exchange(server, client, Exchange(f"ib_{verb}_lat", 8, 10))
            self.exchange(
                server, client, Exchange(f"ib_{verb}_bw", 8 if verb == "atomic" else 65536, 100)
            )

    @long_form_only
    def test_pingpongs_of_a_guest_with_itself(self) -> None:
        self.pingpongs(self.a, self.a)

    def test_pingpongs_from_guest_to_guest(self) -> None:
        self.pingpongs(self.b, self.a, polling=True)

    def test_pingpongs_from_a_guest_to_the_host(self) -> None:
        self.pingpongs(self.host.native, self.a)

    def test_pingpongs_from_the_host_to_a_guest(self) -> None:
        self.pingpongs(self.a, self.host.native)

    # The suite perftest has more between guests.
    @long_form_only
    def test_perftest_of_a_guest_with_itself(self) -> None:
        self.perftest(self.a, self.a)

    def test_perftest_from_guest_to_guest(self) -> None:
        self.perftest(self.b, self.a)

    def test_perftest_from_a_guest_to_the_host(self) -> None:
        self.perftest(self.host.native, self.a)

    @long_form_only
    def test_perftest_from_the_host_to_a_guest(self) -> None:
        self.perftest(self.a, self.host.native)

    @long_form_only
    def test_short_messages_by_the_hundred(self) -> None:
        for verb in VERBS:
            self.exchange(self.b, self.a, Exchange(f"ib_{verb}_bw", 8, 500))

    def test_a_large_message(self) -> None:
        exchange = Exchange("ibv_rc_pingpong", 1 << 20, 20, ("-c", "-e"))
        self.exchange(self.b, self.a, exchange)
        self.exchange(self.host.native, self.a, exchange)

    @classmethod
    def tearDownClass(cls) -> None:
        for side in (*cls.host.guests, cls.host.native):
            assert side.complaints() == "", side.complaints()


if __name__ == "__main__":
    main()
