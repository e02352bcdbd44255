# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Guests as users have them: Debian with systemd, udev and rdma-core, which load the driver.

Nothing is told which device or GID to take, where programs find these by themselves.
"""

from __future__ import annotations

from support_py import rdmacm as rdmacm_test
from support_py.e2e import PATIENCE, LabTest, main
from support_py.exchange import say
from vrdma_lab import paths
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.image.service import build_service
from vrdma_lab.programs.rdmacm import PROGRAMS, wait_listener
from vrdma_lab.programs.traffic import wait_listening
from vrdma_lab.vm.guest import Guest, GuestOptions

# How an operator asks rdma-core for names that do not depend on the order of devices.
NAMING = "/etc/udev/rules.d/60-rdma-persistent-naming.rules"
BY_GUID = 'ACTION=="add", SUBSYSTEM=="infiniband", PROGRAM="rdma_rename %k NAME_GUID"'
UNITS = ("rdma-ndd.service", "rdma-load-modules@rdma.service", "rdma-hw.target")
# vrdmad runs in a guest as well, as systemd starts it there.
SERVICE = """[daemon]
socket_group = "kvm"
status_socket = "/run/vrdma/status.sock"
[[vm]]
name = "a"
socket = "/run/vrdma/a.sock"
"""
# A VMM's first message, GET_FEATURES, and the size of the answer.
ASK_FEATURES = """use IO::Socket::UNIX;
$SIG{PIPE} = "IGNORE";  # who is turned away may be so before he asks
my $s = IO::Socket::UNIX->new("/run/vrdma/a.sock") or die "connect: $!";
syswrite($s, pack("L3", 1, 1, 0));
my $n = sysread($s, my $answer, 20);
print "answer of ", $n // 0, " bytes\\n";
"""
# A VMM that asks, waits for /run/go-on, and asks again on the same connection.
ASK_TWICE = ASK_FEATURES + """
$| = 1;
print "waiting\\n";
select(undef, undef, undef, 0.1) until -e "/run/go-on";
syswrite($s, pack("L3", 1, 1, 0));
$n = sysread($s, $answer, 20);
print "then of ", $n // 0, " bytes\\n";
"""
_STANDSTILL = "journalctl -u vrdmad -o cat | grep -o 'stood still for .*' | tail -n 1"
LONE_COMMANDS = (
    "ib_write_bw -F -n 200",
    "ib_send_lat -F -n 200",
    "ib_read_bw -F -n 200 -R",
)


class SystemdGuests(LabTest, rdmacm_test.RdmaCmTest):
    programs = tuple(each for each in PROGRAMS if each.name in ("rping", "rdma_client", "udaddy"))

    @classmethod
    def boot(cls) -> None:
        service = cls.lab.folder / "service.cpio"
        build_service(service, SERVICE)
        options = GuestOptions(
            memory_mib=2048, processors=4, nodes=2, disk=paths.debian_image(), archive=service
        )
        for guest in cls.lab.boot((1, 2), options):
            guest.must(
                "systemctl is-system-running --wait || { systemctl --failed --no-pager; false; }",
                PATIENCE,
            )
            guest.wait_device()

    def assert_services(self, guest: Guest) -> None:
        """All units that belong to an RDMA device have come, and none has failed."""
        for unit in UNITS:
            guest.must(f"until systemctl is-active -q {unit}; do sleep 0.1; done", PATIENCE)
        self.assertEqual(guest.must("systemctl --failed --no-legend --plain"), "")

    def assert_described(self, guest: Guest) -> None:
        """rdma-ndd has told the device the guest's name."""
        guest.must(
            f"until grep -q '^{guest.name} ' /sys/class/infiniband/{guest.device}/node_desc; "
            "do sleep 0.1; done",
            PATIENCE,
        )

    def test_1_udev_loads_the_driver_and_its_users(self) -> None:
        for guest in self.lab.guests:
            with self.subTest(guest=guest.name):
                self.assert_services(guest)
                self.assert_described(guest)
                module = guest.must("modinfo -n vrdma").strip()
                self.assertIn("/updates/dkms/", module)
                loaded = guest.must("cut -d ' ' -f 1 /proc/modules").split()
                for name in ("vrdma", "ib_uverbs", "rdma_ucm", "ib_iser", "rpcrdma"):
                    self.assertIn(name, loaded)
                # rdma-core's rules let everybody use the device.
                self.assertIn("crw-rw-rw-", guest.must("ls -l /dev/infiniband/uverbs0"))
                netdev = guest.must("rdma link show").split("netdev ")[1].split()[0]
                self.assertNotEqual(netdev, "eth0", "udev has renamed the netdev")

    def test_2_programs_choose_device_and_gid(self) -> None:
        a, b = self.lab.guests
        self.assertIn("vrdma0", a.must("ibv_devices"))
        self.assertIn("PORT_ACTIVE", a.must("ibv_devinfo"))
        self.run_lone_programs(b, a)
        self.run_programs(b, a)

    def run_lone_programs(self, server: Guest, client: Guest) -> None:
        for command in (f"ibv_rc_pingpong -p 18515 -c -g {server.gid_index()}", *LONE_COMMANDS):
            with self.subTest(command):
                serving = server.start(f"{LINE_BUFFERED} {command}")
                if "-R" in command:
                    wait_listener(server, 18515, serving)
                else:
                    wait_listening(server, 18515, serving)
                asked = client.run(f"{LINE_BUFFERED} {command} {server.ip}", PATIENCE)
                served = serving.wait(PATIENCE) if asked.ok else serving.kill()
                self.assertTrue(asked.ok and served.ok, f"{asked.output}\n{served.output}")

    def test_3_fio(self) -> None:
        a, b = self.lab.guests
        # The options of an engine follow the engine; the depths are those of fio's own examples.
        job = "fio --name=job --ioengine=rdma --bs=64k --size=8m"
        # Not SEND: fio asks for no retries when the receiver is not ready, and posts its receives
        # after it has accepted; a client that is faster gets an error, and waits for ever.
        for port, verb in enumerate(("write", "read"), 7700):
            with self.subTest(verb):
                serving = b.start(f"{job} --iodepth=16 --port={port} --rw=read")
                wait_listener(b, port, serving)
                words = f"{job} --iodepth=1 --iodepth_batch_complete=1 --hostname={b.ip}"
                words += f" --port={port} --verb={verb} --rw=write"
                asked = a.run(words, PATIENCE)
                served = serving.wait(PATIENCE) if asked.ok else serving.kill()
                self.assertTrue(asked.ok and served.ok, f"{asked.output}\n{served.output}")

    def test_4_open_mpi_over_ucx(self) -> None:
        a, b = self.lab.guests
        key = a.must("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id && cat /root/.ssh/id.pub")
        for guest in (a, b):
            guest.must(f"mkdir -p /root/.ssh && echo '{key.strip()}' >> /root/.ssh/authorized_keys")
        words = (
            "mpirun --allow-run-as-root -np 2",
            f"--host {a.ip},{b.ip}",
            "--mca plm_rsh_args '-i /root/.ssh/id -o StrictHostKeyChecking=no'",
            "--mca pml ucx -x UCX_TLS=rc,self",
            "NPopenmpi -i -u 65536 -n 3 -o /dev/null",
        )
        outcome = a.run(" ".join(words), PATIENCE)
        self.assertTrue(outcome.ok, outcome.output)

    def test_5_a_name_by_guid_outlives_the_daemon(self) -> None:
        a, b = self.lab.guests
        a.must(f"echo '{BY_GUID}' > {NAMING} && udevadm control --reload")
        a.must("udevadm trigger --settle --action=add --subsystem-match=infiniband")
        guid = a.must("cat /sys/class/infiniband/*/node_guid").strip().replace(":", "")
        self.assertEqual(a.must("ls /sys/class/infiniband").strip(), f"rocex{guid}")
        a.device = f"rocex{guid}"
        # The core would take this name for a format, if the driver came with it.
        b.must("rdma dev set vrdma0 name odd%s")
        self.lab.daemon.child.kill()
        for guest in (a, b):
            guest.must("while [ -e /sys/class/infiniband/* ]; do sleep 0.05; done", PATIENCE)
        self.lab.daemon.start_again()
        for guest in (a, b):
            guest.wait_device(PATIENCE)
            self.assertEqual(guest.must("ls /sys/class/infiniband").strip(), guest.device)
            self.assert_services(guest)
            self.assert_described(guest)
        self.run_lone_programs(a, b)

    def test_6_vrdmad_runs_as_a_service(self) -> None:
        guest = self.lab.guests[0]
        guest.must("systemctl start vrdmad || { journalctl -u vrdmad; false; }", PATIENCE)
        self.assert_confined(guest)
        guest.must("systemd-analyze security --threshold=20 vrdmad", PATIENCE)
        with self.subTest("only the machine's VMM is served"):
            guest.must(f"cat > /root/ask.pl <<'END'\n{ASK_FEATURES}END")
            self.assertIn("answer of 0 bytes", guest.must("perl /root/ask.pl"))
            self.assertIn("is not in the group", guest.must("journalctl -u vrdmad"))
            asked = guest.must("setpriv --regid kvm --clear-groups perl /root/ask.pl")
            self.assertIn("answer of 20 bytes", asked)
        with self.subTest("the journal has fields"):
            said = guest.must("journalctl -u vrdmad -o cat SUBSYSTEM=vhost GUEST=a PRIORITY=4")
            self.assertIn("is not in the group", said)
        with self.subTest("systemctl reload"):
            machine = '[[vm]]\nname = "new"\nsocket = "/run/vrdma/new.sock"\n'
            guest.must(f"printf '[limits]\nqueue_pairs = 7\n{machine}' >> /etc/vrdma/vrdmad.toml")
            guest.must("systemctl reload vrdmad", PATIENCE)
            said = "SIGHUP: the virtual machines and limits are those of /etc/vrdma/vrdmad.toml now"
            guest.must(f"until journalctl -u vrdmad | grep -q '{said}'; do sleep 0.1; done",
                       PATIENCE)
            guest.must("test -S /run/vrdma/new.sock")
        with self.subTest("systemctl restart: a VMM stays connected"):
            self.stays_connected(guest, "systemctl restart vrdmad")
            self.assert_confined(guest, machines=2)
        with self.subTest("vrdmactl upgrade: a VMM stays connected to another version"):
            guest.must("mv /usr/local/bin/vrdmad.next /usr/local/bin/vrdmad")
            said = self.stays_connected(guest, "vrdmactl upgrade")
            self.assertRegex(said, r"vrdmad \S+\.next has taken the place of \S+\n")
            self.assertRegex(said, r"1 guest\(s\) went on, and stood still for \d+ ms\n")
        with self.subTest("a vrdmad that hangs is ended by the watchdog, and comes again"):
            short = "/run/systemd/system/vrdmad.service.d"
            drop_in = "[Service]\\nWatchdogSec=5\\n"
            guest.must(f"mkdir -p {short} && printf '{drop_in}' > {short}/watchdog.conf")
            guest.must("systemctl daemon-reload && systemctl restart vrdmad", PATIENCE)
            guest.must("kill -STOP $(systemctl show -P MainPID vrdmad)")
            again = "[ $(systemctl show -P NRestarts vrdmad) -ge 1 ] && systemctl is-active vrdmad"
            guest.must(f"until {again}; do sleep 0.1; done", PATIENCE)
            self.assertIn("watchdog", guest.must("journalctl -u vrdmad").lower())
        with self.subTest("systemctl stop"):
            guest.must("systemctl stop vrdmad", PATIENCE)
            self.assertEqual(guest.must("systemctl show -P Result vrdmad").strip(), "success")
            guest.must("test ! -e /run/vrdma")

    def stays_connected(self, guest: Guest, restart: str) -> str:
        """A VMM goes on with what another vrdmad is after this command; what the command said."""
        guest.must(f"cat > /root/ask_twice.pl <<'END'\n{ASK_TWICE}END\nrm -f /run/go-on")
        vmm = guest.start("setpriv --regid kvm --clear-groups perl /root/ask_twice.pl")
        vmm.wait_for("waiting", PATIENCE)
        process = "systemctl show -P MainPID vrdmad"
        before = guest.must(process)
        said = guest.must(f"{restart} || {{ journalctl -u vrdmad; false; }}", PATIENCE)
        self.assertNotEqual(guest.must(process), before)
        guest.must("touch /run/go-on")
        asked = vmm.wait(PATIENCE).output
        self.assertIn("then of 20 bytes", asked, guest.must("journalctl -u vrdmad | tail -40"))
        self.assertIn("a: taken over from vrdmad", guest.must("journalctl -u vrdmad"))
        say(f"    {restart}: {guest.must(_STANDSTILL, PATIENCE).strip()}")
        return said

    def assert_confined(self, guest: Guest, machines: int = 1) -> None:
        """vrdmad, its broker and its receivers are a user of their own, and may do little."""
        group = "/sys/fs/cgroup/system.slice/vrdmad.service"
        processes = guest.must(f"cat {group}/cgroup.procs").split()
        owners = set()
        self.assertEqual(len(processes), 2 + machines)
        for process in processes:
            lines = guest.must(f"cat /proc/{process}/status").splitlines()
            fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            owners.add(fields["Uid"].split()[0])
            for which in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                self.assertEqual(int(fields[which], 16), 0, which)
            self.assertEqual(fields["Seccomp"], "2")
            self.assertEqual(fields["NoNewPrivs"], "1")
        self.assertNotIn("0", owners)
        # The image has no nss-systemd, which would know the user's name.
        owner = guest.must("stat -c '%A %u %G' /run/vrdma/a.sock").strip()
        self.assertEqual([owner], [f"srw-rw---- {uid} kvm" for uid in owners])

    def tearDown(self) -> None:
        for guest in self.lab.guests:
            self.assertEqual(guest.complaints(), "", guest.name)


if __name__ == "__main__":
    main()
