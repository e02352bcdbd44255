# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The lab's parts without machines: channels, networks, archives, configurations."""

from __future__ import annotations

import io
import socket
import subprocess
import tempfile
import threading
import tomllib
import unittest
from pathlib import Path

from vrdma_lab.errors import LabError
from vrdma_lab.host.suites import all_suites
from vrdma_lab.image.cpio import CpioWriter
from vrdma_lab.image.initramfs import libraries_of
from vrdma_lab.image.root_tree import write_archive
from vrdma_lab.lab.daemon import configuration
from vrdma_lab.machine.channel import Channel, Job
from vrdma_lab.network.host_network import HostNetwork, guest_underlay
from vrdma_lab.network.switch import Switch
from vrdma_lab.vm.examination import telling


class Agent:
    """The agent's end of a channel, which answers each command by the lines in `answers`."""

    def __init__(self, answers: dict[str, tuple[bytes, ...]]) -> None:
        self._answers = answers
        self.signals: list[tuple[int, int]] = []
        ours, self.theirs = socket.socketpair()
        self._stream = ours.makefile("rwb")
        ours.close()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._stream.write(b"H 0 1234\n")
        self._stream.flush()
        for header in self._stream:
            kind, number, value = header.split()
            if kind == b"K":
                self.signals.append((int(number), int(value)))
                self._stream.write(b"X %s %d\n" % (number, 128 + int(value)))
            else:
                script = self._stream.read(int(value)).decode()
                for answer in self._answers.get(script, ()):
                    self._stream.write(answer % number)
            self._stream.flush()
        self._stream.close()


class Channels(unittest.TestCase):
    def channel(self, **answers: tuple[bytes, ...]) -> tuple[Channel, Agent]:
        agent = Agent(answers)
        channel = Channel("guest a", agent.theirs, lambda: "  its console")
        self.addCleanup(channel.close)
        channel.connect(lambda: None, 10)
        return channel, agent

    def test_a_command_has_its_output_and_its_status(self) -> None:
        channel, _ = self.channel(ls=(b"O %s 3\none", b"O %s 4\ntwo\n", b"X %s 3\n"))
        outcome = channel.start("ls").wait(10)
        self.assertEqual((outcome.status, outcome.output, outcome.ok), (3, "onetwo\n", False))

    def test_output_may_go_to_a_sink(self) -> None:
        channel, _ = self.channel(ls=(b"O %s 3\none", b"X %s 0\n"))
        sink = io.BytesIO()
        self.assertEqual(channel.start("ls", sink.write).wait(10).output, "")
        self.assertEqual(sink.getvalue(), b"one")

    def test_a_command_that_does_not_end_is_killed_and_explained(self) -> None:
        channel, agent = self.channel(hang=(b"O %s 5\nhello",))
        job = channel.start("hang")
        with self.assertRaisesRegex(LabError, r"(?s)guest a: .*: hang.*hello.*its console"):
            job.wait(0.05)
        self.assertEqual(job.wait(10).status, 137)
        self.assertEqual(agent.signals, [(job.number, 9)])

    def test_a_command_without_a_next_step_is_examined_and_then_killed(self) -> None:
        channel, agent = self.channel(suite=(b"O %s 11\ntest_1 ... ",))
        job = channel.start("suite", io.BytesIO().write)
        examined = []

        def examine(hanging: Job) -> str:
            examined.append((hanging, list(agent.signals)))
            return "\n  its kernel"

        with self.assertRaisesRegex(LabError, r"(?s)a command hangs .*test_1.*its kernel"):
            job.wait_through(examine, 0.05, 0.05)
        self.assertEqual(examined, [(job, [])])
        self.assertEqual(job.wait(10).status, 137)

    def test_a_text_is_waited_for(self) -> None:
        channel, _ = self.channel(server=(b"O %s 6\nready\n",), quiet=(b"X %s 0\n",))
        channel.start("server").wait_for("ready", 10)
        with self.assertRaisesRegex(LabError, "ended without printing 'ready'"):
            channel.start("quiet").wait_for("ready", 10)


class Networks(unittest.TestCase):
    def test_frames_go_where_their_address_was_seen(self) -> None:
        path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "switch"
        switch = Switch(path)
        self.addCleanup(switch.close)
        ports = [self.enterContext(socket.socket(socket.AF_UNIX)) for _ in range(3)]
        for port in ports:
            port.connect(str(path))
            port.settimeout(10)
        a, b = (bytes([2, 0, 0, 0, 0, number]) for number in (1, 2))
        # The switch has taken all connections when it gets a frame by the last one.  A frame to
        # an address that was not seen goes to all others.
        first = self.send(ports[2], b, a)
        self.assertEqual([port.recv(99) for port in ports[:2]], [first, first])
        answer = self.send(ports[1], a, b)
        self.assertEqual(ports[2].recv(99), answer)
        last = self.send(ports[2], b, a)
        self.assertEqual(ports[1].recv(99), last)
        ports[0].settimeout(0.05)
        with self.assertRaises(TimeoutError):
            ports[0].recv(99)

    @staticmethod
    def send(port: socket.socket, destination: bytes, source: bytes) -> bytes:
        frame = destination + source + b"\x08\x00data"
        framed = len(frame).to_bytes(4, "big") + frame
        port.sendall(framed)
        return framed

    def test_each_guest_has_a_place_on_its_host(self) -> None:
        network = HostNetwork(2, underlay="eth0", uplink="eth1")
        self.assertEqual((network.address, network.underlay_address), ("10.77.0.202", "10.9.0.2"))
        self.assertEqual(network.agent_of(3), ("10.77.0.202", 7703))
        self.assertEqual(guest_underlay(3), "10.9.0.13")

    def test_a_host_on_its_own_makes_its_underlay(self) -> None:
        alone = HostNetwork(1, underlay="vrdma-underlay", dummy=True)
        self.assertIn("ip link add vrdma-underlay type dummy", alone.setup())
        self.assertIn("ip link del vrdma-underlay", alone.teardown())
        self.assertNotIn("type dummy", HostNetwork(1, underlay="eth0").setup())

    def test_the_driver_of_a_modelled_adapter_is_loaded_and_other_rnics_are_made(self) -> None:
        network = HostNetwork(1, underlay="eth2")
        self.assertIn("mlx5_ib", network.load_driver("mlx5"))
        self.assertNotIn("rdma link add", network.add_rnic("mlx5"))
        self.assertEqual(network.load_driver("rxe"), "")
        self.assertIn("rdma link add rxe0 type rxe netdev eth2", network.add_rnic("rxe"))
        self.assertEqual(network.remove_rnic("rxe"), "rdma link delete rxe0")
        self.assertIn("mlx5_core/unbind", network.remove_rnic("mlx5-ib"))


def entries(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each entry of a cpio archive, up to its trailer."""
    found: dict[str, tuple[int, bytes]] = {}
    stream = io.BytesIO(archive)

    def padded(size: int) -> bytes:
        data = stream.read(size)
        stream.read(-stream.tell() % 4)
        return data

    while stream.read(6) == b"070701":
        fields = [int(stream.read(8), 16) for _ in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = padded(name_size).rstrip(b"\0").decode()
        found[name] = (mode, padded(size))
    return {name: entry for name, entry in found.items() if name != "TRAILER!!!"}


class Archives(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_a_file_brings_its_folders(self) -> None:
        archive = CpioWriter(self.folder / "a")
        archive.file("/usr/bin/tool", b"odd", 0o755)
        archive.link("/usr/bin/other", "tool")
        archive.file("/usr/bin/tool", b"again")
        archive.close()
        expected = {
            "usr": (0o40755, b""),
            "usr/bin": (0o40755, b""),
            "usr/bin/tool": (0o100755, b"odd"),
            "usr/bin/other": (0o120777, b"tool"),
        }
        self.assertEqual(entries((self.folder / "a").read_bytes()), expected)

    def test_a_tree_is_put_below_a_name(self) -> None:
        tree = self.folder / "tree"
        (tree / "etc").mkdir(parents=True)
        (tree / "etc" / "x").write_text("x")
        (tree / "lib").symlink_to("usr/lib")
        write_archive(tree, "root", self.folder / "a")
        found = entries((self.folder / "a").read_bytes())
        self.assertEqual(list(found), ["root", "root/etc", "root/etc/x", "root/lib"])
        self.assertEqual(found["root/lib"][1], b"usr/lib")


class Configuration(unittest.TestCase):
    def test_each_guest_has_a_table(self) -> None:
        sockets = {1: Path("/x/vm1.sock"), 3: Path("/x/vm3.sock")}
        toml = "[limits]\nqueue_pairs = 3"
        text = configuration(Path("/x/s"), "rxe0", sockets, toml, {3: 'network = "red"'})
        found = tomllib.loads(text)
        self.assertEqual(found["daemon"]["status_socket"], "/x/s")
        self.assertEqual((found["rnic"]["name"], found["limits"]["queue_pairs"]), ("rxe0", 3))
        self.assertEqual([vm["name"] for vm in found["vm"]], ["a", "c"])
        self.assertEqual(found["vm"][1]["mac"], "52:54:00:77:00:03")
        self.assertEqual([vm.get("network") for vm in found["vm"]], [None, "red"])


ANSWERS = """\
[   30.1] sysrq: Show State
[   30.1] task:python3         state:S stack:0     pid:161   ppid:1      flags:0x00000002
[   30.1] Call Trace:
[   30.1]  <TASK>
[   30.1]  ? __pollwait+0xe0/0xe0
[   30.1]  do_sys_poll+0x535/0x600
[   30.1] RIP: 0033:0x7fd14c245308
[   30.1] RAX: ffffffffffffffda RBX: 0000000000000003 RCX: 00007fd14c245308
[   30.1] task:rcu_gp          state:I stack:0     pid:3     ppid:2      flags:0x00004000
[   30.1] Workqueue:  0x0 (rcu_gp)
[   30.1]  rescuer_thread+0x2ae/0x3a0
[   30.1] task:rcu_preempt     state:R  running task     stack:0     pid:15    ppid:2      flags:0x0
[   30.1]  rcu_gp_fqs_loop+0x141/0x550
[   30.1] Sched Debug Version: v0.11, 6.1.0-50-amd64 #1
[   30.1] jiffies                                 : 4294904090
[   30.1] runnable tasks:
[   30.1]  I          rcu_gp     3       121.399181         2   100         0.000000
[   30.1] >R              sh   166         0.000000        50     0
"""


class Examinations(unittest.TestCase):
    def test_threads_of_the_kernel_that_wait_and_figures_are_left_out(self) -> None:
        lines = telling(ANSWERS)
        self.assertEqual(lines[0], "sysrq: Show State")
        kept = "\n".join(lines)
        for text in ("task:python3", "do_sys_poll", "rcu_gp_fqs_loop", ">R "):
            self.assertIn(text, kept)
        for text in ("rcu_gp ", "(rcu_gp)", "rescuer_", "jiffies", "0033", "RAX", "__pollwait"):
            self.assertNotIn(text, kept)


class Suites(unittest.TestCase):
    def test_a_suite_says_what_it_needs(self) -> None:
        suites = all_suites()
        self.assertEqual(suites["two_hosts"].hosts, 2)
        self.assertEqual(suites["siw"].rnic, "siw")
        self.assertEqual((suites["native"].hosts, suites["native"].rnic), (1, "rxe"))
        self.assertNotIn("command", suites)


class Libraries(unittest.TestCase):
    """The shared libraries that a guest's programs need."""

    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "one.c").write_text("int one(void) { return 1; }\n")
        (self.folder / "main.c").write_text("int one(void); int main(void) { return one(); }\n")
        self.library, self.program = self.folder / "libone.so", self.folder / "main"
        shared: list[str | Path] = ["-shared", "-o", self.library, self.folder / "one.c"]
        subprocess.run(["gcc", *shared], check=True)
        program: list[str | Path] = ["-o", self.program, self.folder / "main.c", self.library]
        subprocess.run(["gcc", *program], check=True)

    def test_they_are_found_with_those_that_they_need_themselves(self) -> None:
        found = libraries_of([self.program])
        self.assertIn(self.library, found)
        self.assertIn("libc.so.6", {path.name for path in found})

    def test_one_that_is_missing_is_named(self) -> None:
        subprocess.run(
            ["gcc", "-o", self.program, "main.c", "-L.", "-lone"], cwd=self.folder, check=True
        )
        self.library.unlink()
        with self.assertRaisesRegex(LabError, "is missing: libone.so => not found"):
            libraries_of([self.program])


if __name__ == "__main__":
    unittest.main(verbosity=2)
