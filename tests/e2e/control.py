# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""vrdmactl beside guests that use their devices."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab import paths
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.progress import run_to_end, wait_until
from vrdma_lab.programs.perftest import Run
from vrdma_lab.programs.traffic import Exchange, wait_listening

PORT = 18515  # perftest's


class Control(LabTest):
    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs vrdmactl to its end."""
        socket = str(self.lab.daemon.control_socket)
        return run_to_end([paths.vrdmactl(), "--socket", socket, *words], 60)

    def text(self, *words: str) -> str:
        result = self.ctl(*words)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def json(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text("--json", *words))
        return found

    def counters(self, name: str) -> dict[str, int]:
        """The counters of a guest by `stats`."""
        for guest in self.json("stats")["guests"]:
            if guest["name"] == name:
                counters: dict[str, int] = guest["counters"]
                return counters
        raise AssertionError(f"there is no guest {name}")

    def test_the_guests_are_listed_and_shown(self) -> None:
        guests = self.json("list")["guests"]
        self.assertEqual(
            [(guest["name"], guest["connected"]) for guest in guests], [("a", True), ("b", True)]
        )
        self.assertRegex(self.text("list"), r"(?m)^a +connected +/.*vm1\.sock$")
        shown = self.json("show", "b")
        self.assertEqual(shown["configuration"]["mac"], "52:54:00:77:00:02")
        self.assertGreater(shown["commands"], 0)
        self.assertEqual(shown["objects"]["queue_pairs"], 1, "QP 1")
        self.assertRegex(self.text("show", "b"), r"(?m)^queue_pairs +\d+ +1 +0$")

    def test_the_figures_move_with_the_traffic(self) -> None:
        a, b = self.lab.guests
        before = {name: self.counters(name) for name in "ab"}
        # 1000 messages of 4096 bytes in each direction.
        self.exchange(b, a, Exchange("ibv_rc_pingpong", 4096, 1000))
        after = {name: self.counters(name) for name in "ab"}
        for name in "ab":
            sent = after[name]["sent_bytes"] - before[name]["sent_bytes"]
            received = after[name]["rcvd_bytes"] - before[name]["rcvd_bytes"]
            self.assertEqual((sent, received), (4096000, 4096000))
            self.assertEqual(after[name]["rdma_sends"] - before[name]["rdma_sends"], 1000)

    def test_the_bytes_that_perftest_says_are_those_of_the_counters(self) -> None:
        a, b = self.lab.guests
        run = Run("write", "bw", "RC", iterations=500, size=65536)
        before = self.stats()
        serving = a.start(run.command(a, b, PORT, serves=True))
        wait_listening(a, PORT, serving)
        asked = b.run(run.command(b, a, PORT, serves=False), PATIENCE)
        served = serving.wait(PATIENCE) if asked.ok else serving.kill()
        self.assertTrue(asked.ok and served.ok, f"{asked.output}\n{served.output}")
        after = self.stats()
        row = re.search(r"(?m)^ *(\d+)\s+(\d+)\s+[\d.]+\s+([\d.]+)\s+[\d.]+\s*$", asked.output)
        assert row is not None, asked.output
        said = int(row[1]) * int(row[2])
        self.assertEqual(said, 500 * 65536)
        # Neither side sends anything else by RDMA: the two agree by TCP.
        sent = self.grown("b", "sent_bytes", before, after)
        self.assertEqual((sent, self.grown("a", "rcvd_bytes", before, after)), (said, said))
        self.assertEqual(self.grown("b", "rdma_writes", before, after), 500)
        # perftest's time is part of the time between the two looks.
        seconds = (after["time_ns"] - before["time_ns"]) / 1e9
        self.assertGreaterEqual(float(row[3]) * (1 << 20), sent / seconds)

    def stats(self) -> dict[str, Any]:
        return self.json("stats")

    @staticmethod
    def grown(name: str, counter: str, before: dict[str, Any], after: dict[str, Any]) -> int:
        """By how much a counter of a guest has grown from one `stats` to another."""
        first, last = (
            next(guest for guest in stats["guests"] if guest["name"] == name)["counters"][counter]
            for stats in (before, after)
        )
        return int(last) - int(first)

    def test_top_shows_the_rates_of_a_guest_that_sends(self) -> None:
        a, b = self.lab.guests
        address = f"-d vrdma0 -g {a.gid_index()}"
        server = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong {address} -s 4096 -n 100000000")
        server.wait_for("local address")
        client = b.start(
            f"ibv_rc_pingpong -d vrdma0 -g {b.gid_index()} -s 4096 -n 100000000 {a.ip}"
        )
        start = self.counters("b")["sent_pkts"]
        wait_until(lambda: self.counters("b")["sent_pkts"] > start, "guest b sends", 60)
        found = re.search(
            r"(?m)^b +connected +\S+ +(\S+) +(\S+) +(\S+) +(\S+) ",
            self.text("top", "--once", "--interval", "1"),
        )
        assert found is not None
        messages, _, out, into = (float(cell) for cell in found.groups())
        self.assertGreater(messages, 0)
        self.assertAlmostEqual(out, messages * 4096 / 1e6, delta=0.06)
        self.assertGreater(into, 0)
        client.kill()
        server.kill()

    def test_a_limit_set_at_run_time_holds_and_is_an_event(self) -> None:
        a = self.lab.guests[0]
        now = self.json("limits", "a", "queue_pairs=3")["guests"][0]["limits"]["queue_pairs"]
        self.assertEqual(now["limit"], 3)
        outcome = a.run(f"ibv_srq_pingpong -d vrdma0 -g {a.gid_index()} -q 3 -r 10")
        self.assertFalse(outcome.ok)
        self.assertIn("Couldn't create QP", outcome.output)
        self.assertRegex(self.text("limits", "a"), r"(?m)^a +queue_pairs +3 +\d+ +[1-9]")

        def told() -> bool:
            return re.search(
                r"(?m)^\S+Z a limit_reached .*key=queue_pairs limit=3", self.text("events")
            ) is not None

        wait_until(told, "the limit is among the events", 30)
        self.assertRegex(self.text("events"), r"(?m)^\S+Z a connected$")
        # The file has the limits that there were at first.
        self.assertIn("the virtual machines and limits are those of", self.text("reload"))
        again = a.start(f"{LINE_BUFFERED} ibv_srq_pingpong -d vrdma0 -g {a.gid_index()} -q 3 -r 10")
        again.wait_for("local address")
        again.kill()

    def test_a_reset_is_an_event(self) -> None:
        b = self.lab.guests[1]

        def resets() -> int:
            return len(re.findall(r"(?m)^\S+Z b reset", self.text("events")))

        before = resets()
        b.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        b.wait_device()
        wait_until(lambda: resets() > before, "the reset is among the events", 30)

    def test_a_reload_of_a_file_with_a_mistake_is_refused(self) -> None:
        self.lab.daemon.write_configuration("[limits]\nqueue_pairs = 0\n")
        refused = self.ctl("reload")
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(refused.stderr, r"^vrdmactl: nothing has changed: .*vrdmad\.toml:\d+:\d+:")
        self.lab.daemon.write_configuration("")
        self.text("reload")

    def test_the_log_level_changes_while_it_runs(self) -> None:
        b = self.lab.guests[1]
        text = "embedded RNIC: port for b is gone"
        self.assertNotIn(text, self.lab.daemon.log())
        self.assertEqual(
            self.json("log-level", "debug", "--subsystem", "rnic")["subsystems"]["rnic"], "debug"
        )
        b.must("rmmod vrdma && insmod /lib/modules/vrdma.ko")
        b.wait_device()
        self.assertIn(text, self.lab.daemon.log())
        self.text("log-level", "info")


if __name__ == "__main__":
    main()
