# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""A guest's devices sleep under a program, and wake with the RDMA device.

The kernel's own test of suspend to RAM suspends all devices, and resumes them after five seconds
(/sys/power/pm_test).  A real sleep (S3) is not tested: the lab's guests under TCG fall asleep, and
their QEMU ends when they are woken, for a reason that nobody has found yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from support_py.e2e import PATIENCE, LabTest, main
from vrdma_lab.errors import LabError
from vrdma_lab.image.initramfs import LINE_BUFFERED


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

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.lab.guests[0].qemu.check()
            if time.monotonic() > deadline:
                raise LabError(f"not so: {what}\n{self.lab.guests[0].explain()}")
            time.sleep(0.1)

    def test_the_guest_wakes_with_its_device(self) -> None:
        a = self.lab.guests[0]
        gid = a.gid_index()
        user = a.start(f"{LINE_BUFFERED} ibv_rc_pingpong -e -d vrdma0 -g {gid}")
        user.wait_for("local address", PATIENCE)
        # The agent's port is closed during the sleep, so the guest tells by its console.
        a.must(f"cat > /tmp/sleep.sh << 'END'\n{SCRIPT.format(gid=gid, ip=a.ip)}END")
        a.must("setsid sh /tmp/sleep.sh > /dev/ttyS0 2>&1 < /dev/null &")
        self.wait(lambda: "sleep.sh ends" in a.console.read_text(errors="replace"), "awake")
        console = a.console.read_text(errors="replace")
        self.assertIn("slept: 0", console)
        self.assertIn("traffic: 0", console)
        self.assertNotRegex(console, r"BUG:|WARNING:|Oops")


if __name__ == "__main__":
    main()
