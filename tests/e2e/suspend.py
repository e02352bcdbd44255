# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest's devices sleep under a program, and wake with the RDMA device.

The kernel's own test of suspend to RAM suspends all devices, and resumes them after five seconds
(/sys/power/pm_test).  A real sleep (S3) is not tested.  Under TCG the lab's guests do not survive
their waking, with this device and its driver or without both, on q35 and pc and with other
processors: the firmware jumps to the kernel's wake-up code, whose first instruction after it turns
paging on is a page fault (QEMU's -d int,cpu_reset), and a triple fault resets the machine, which
ends a QEMU with -no-reboot.
"""

from __future__ import annotations

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.image.initramfs import LINE_BUFFERED
from vrdma_lab.machine.progress import wait_until
from vrdma_lab.vm.guest import Guest


SCRIPT = """\
touch /tmp/sleeps
echo devices > /sys/power/pm_test
echo mem > /sys/power/state
echo "slept: $?"
until ibv_devinfo -v -d vrdma0 2> /dev/null | grep -q "::ffff:{ip}"; do usleep 50000; done
ibv_rc_pingpong -p 4000 -d vrdma0 -g {gid} > /dev/null &
until ibv_rc_pingpong -p 4000 -d vrdma0 -g {gid} 127.0.0.1 > /dev/null 2>&1; do usleep 50000; done
wait $!
echo "traffic: $?"
dmesg
echo "sleep.sh ends"
"""


class Suspend(LabTest):
    guest_count = 1

    def said(self, guest: Guest, words: str) -> bool:
        """Whether the guest's console has the words; LabError if the guest has ended."""
        guest.qemu.check()
        return words in guest.console.read_text(errors="replace")

    def test_the_guest_wakes_with_its_device(self) -> None:
        a = self.lab.guests[0]
        gid = a.gid_index()
        user = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0 -g {gid}")
        user.wait_for("local address", PATIENCE)
        # The agent's port is closed during the sleep, so the guest tells by its console.
        a.must(f"cat > /tmp/sleep.sh << 'END'\n{SCRIPT.format(gid=gid, ip=a.ip)}END")
        a.must("setsid sh /tmp/sleep.sh > /dev/ttyS0 2>&1 < /dev/null &")
        wait_until(lambda: self.said(a, "sleep.sh ends"), f"not awake\n{a.explain()}", PATIENCE)
        console = a.console.read_text(errors="replace")
        self.assertIn("slept: 0", console)
        self.assertIn("traffic: 0", console)
        self.assertNotRegex(console, r"BUG:|WARNING:|Oops")


if __name__ == "__main__":
    main()
