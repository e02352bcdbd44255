# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 the vrdma authors
"""How the device gets into QEMU, and how it does not."""
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unittest
from typing import Any

from fake_backend import CONFIG, FakeBackend, make_config
from machine import Machine, Qemu, QemuFailed
from patience import run_to_end, wait_until

NO_SUCH_DEVICE = "Device 'vrdma-pci' not found"


class LoadingCase(unittest.TestCase):
    qemu: Qemu      # set by run
    guest: str

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="vrdma-qemu-load.")
        self.addCleanup(shutil.rmtree, self.folder)

    def run_qemu(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        with subprocess.Popen([*self.qemu.command, *arguments], text=True,
                              env=dict(self.qemu.environment, **environment),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            words = run_to_end(process)
        return subprocess.CompletedProcess(process.args, process.returncode, words)


class Shim(LoadingCase):
    def other_version(self) -> str:
        return "10.0" if self.qemu.version != "10.0" else "7.2"

    def test_device_help_lists_its_properties(self) -> None:
        words = self.run_qemu("-device", "vrdma-pci,help").stdout
        for name in ("chardev=", "shm-size=", "comp-vectors=", "completion-queues=", "vectors=",
                     "packed=", "reconnect="):
            self.assertIn(f"\n  {name}", words)

    def test_qemu_has_no_such_device_without_the_shim(self) -> None:
        words = self.run_qemu("-device", "vrdma-pci,help", LD_PRELOAD="").stdout
        self.assertIn(NO_SUCH_DEVICE, words)

    def test_a_folder_without_a_module_for_this_qemu_is_named_with_both_versions(self) -> None:
        open(f"{self.folder}/vrdma-qemu-{self.other_version()}.so", "w").close()
        open(f"{self.folder}/vrdma-qemu-99.9.so", "w").close()
        words = self.run_qemu("-device", "vrdma-pci,help", VRDMA_QEMU_DIR=self.folder).stdout
        self.assertIn(f"this is QEMU {self.qemu.full_version}, and {self.folder} has no device "
                      "module", words)
        available = ", ".join(sorted([self.other_version(), "99.9"], key=float))
        self.assertIn(f"(available: {available})", words)
        self.assertIn("qemu-device/build.sh", words)

    def test_a_module_for_another_qemu_refuses_and_names_both_versions(self) -> None:
        other = f"{self.qemu.build}/vrdma-qemu-{self.other_version()}.so"
        if not os.path.exists(other):
            self.skipTest(f"{other} is not built")
        shutil.copy(other, f"{self.folder}/vrdma-qemu-{self.qemu.version}.so")
        words = self.run_qemu("-device", "vrdma-pci,help", VRDMA_QEMU_DIR=self.folder).stdout
        self.assertRegex(words, rf"built for QEMU {self.other_version()}\.\d+ and cannot run in "
                                rf"QEMU {self.qemu.full_version}")
        self.assertIn(NO_SUCH_DEVICE, words)

    def test_a_module_with_another_layout_of_the_same_version_refuses(self) -> None:
        with open(self.qemu.module, "rb") as module:
            image = module.read()
        sizes = self.type_sizes(image)
        patched = bytearray(image)
        patched[sizes:sizes + 8] = (int.from_bytes(image[sizes:sizes + 8], "little") + 8).to_bytes(
            8, "little")
        with open(f"{self.folder}/vrdma-qemu-{self.qemu.version}.so", "wb") as module:
            module.write(patched)
        words = self.run_qemu("-device", "vrdma-pci,help", VRDMA_QEMU_DIR=self.folder).stdout
        self.assertRegex(words, rf"built for QEMU {self.qemu.version}\.\d+, and QEMU "
                                rf"{self.qemu.full_version}.* has another layout of 'device'")
        self.assertIn(NO_SUCH_DEVICE, words)

    def type_sizes(self, image: bytes) -> int:
        """Offset in the file of the first class size in the guard's table."""
        symbols = subprocess.run(["readelf", "-sW", self.qemu.module], check=True, text=True,
                                 capture_output=True).stdout
        address = next(int(line.split()[1], 16) for line in symbols.splitlines()
                       if line.endswith(" shared_types"))
        sections = subprocess.run(["readelf", "-SW", self.qemu.module], check=True, text=True,
                                  capture_output=True).stdout
        for line in sections.splitlines():
            fields = line.replace("[ ", "[").split()
            if fields[1:2] == [".data.rel.ro"]:
                start, offset = int(fields[3], 16), int(fields[4], 16)
                return offset + address - start + 8     # behind the name's pointer
        raise AssertionError("no section with the guard's table")

    def test_the_installed_files_find_each_other(self) -> None:
        install = f"{os.path.dirname(os.path.realpath(__file__))}/../install.sh"
        subprocess.run([install, self.qemu.build], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, DESTDIR=self.folder))
        shim = f"{self.folder}/usr/lib/x86_64-linux-gnu/qemu/libvrdma-qemu-preload.so"
        words = self.run_qemu("-device", "vrdma-pci,help", LD_PRELOAD=shim).stdout
        self.assertIn("shm-size=", words)

    def test_a_program_that_is_not_qemu_keeps_its_environment_and_its_silence(self) -> None:
        done = subprocess.run(["env"], env=self.qemu.environment, text=True, capture_output=True)
        self.assertIn(f"LD_PRELOAD={self.qemu.shim}\n", done.stdout)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_children_of_qemu_do_not_inherit_the_shim_but_other_preloads(self) -> None:
        libm = os.path.realpath("/lib/x86_64-linux-gnu/libm.so.6")
        environment = dict(self.qemu.environment, LD_PRELOAD=f"{self.qemu.shim}:{libm}")
        machine = Machine(self.qemu, self.folder, None, environment=environment)
        self.addCleanup(machine.close)
        machine.qmp("migrate", uri=f"exec:env > {self.folder}/part && mv {self.folder}/part "
                                   f"{self.folder}/env; cat > /dev/null")
        wait_until(lambda: os.path.exists(f"{self.folder}/env"), "the child of QEMU")
        with open(f"{self.folder}/env") as variables:
            preload = [line for line in variables if line.startswith("LD_PRELOAD=")]
        self.assertEqual(preload, [f"LD_PRELOAD={libm}\n"])


class WaitingForTheBackend(LoadingCase):
    def test_a_chardev_that_reconnects_has_qemu_wait_for_its_backend_and_say_so(self) -> None:
        option = "reconnect=1" if self.qemu.version == "7.2" else "reconnect-ms=50"
        command = [*self.qemu.command, "-M", "pc,memory-backend=mem", "-m", "64", "-display",
                   "none", "-nodefaults", "-object",
                   "memory-backend-memfd,share=on,id=mem,size=64M", "-chardev",
                   f"socket,id=r,path={self.folder}/backend,{option}", "-device",
                   "vrdma-pci,chardev=r"]
        with subprocess.Popen(command, env=self.qemu.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as qemu:
            self.addCleanup(qemu.kill)
            assert qemu.stdout is not None
            words = ""
            while "vrdma: waiting for the backend: Failed to connect to" not in words:
                words = qemu.stdout.readline()
                self.assertNotEqual(words, "", "QEMU has ended")
            backend = FakeBackend(f"{self.folder}/backend")
            self.addCleanup(backend.listener.close)
            backend.wait_for(lambda: len(backend.channels) == 2, "QEMU")
            qemu.kill()


class BadConfiguration(LoadingCase):
    """Each gets a sentence, and QEMU ends instead of starting half a guest."""

    def start(self, device: str = "vrdma-pci,chardev=r", **options: Any) -> Machine:
        socket = options.pop("socket", f"{self.folder}/backend")
        machine = Machine(self.qemu, self.folder, device,
                          chardev=f"socket,id=r,path={socket}", **options)
        self.addCleanup(machine.close)
        return machine

    def backend(self, **options: Any) -> None:
        backend = FakeBackend(f"{self.folder}/backend", **options)
        self.addCleanup(backend.listener.close)

    def assert_refused(self, words: str, *arguments: str, **options: Any) -> None:
        with self.assertRaises(QemuFailed) as refusal:
            self.start(*arguments, **options)
        self.assertIn(words, str(refusal.exception))

    def test_no_chardev(self) -> None:
        self.backend()
        self.assert_refused("the property 'chardev' is missing", "vrdma-pci")

    def test_no_such_socket(self) -> None:
        self.assert_refused("No such file or directory", socket="/nonexistent/socket")

    def test_too_few_queues_in_the_backend(self) -> None:
        self.backend(queues=4)
        self.assert_refused("the backend offers 4 virtqueues and comp-vectors=2 needs 5")

    def test_another_protocol_version(self) -> None:
        self.backend(config=make_config(protocol_version=7))
        self.assert_refused("the backend speaks version 7 of the vrdma protocol and this device "
                            "version 1")

    def test_a_configuration_that_makes_no_sense(self) -> None:
        self.backend(config=make_config(max_qp=1 << 30))
        self.assert_refused("the backend's configuration space is not valid")

    def test_a_backend_of_another_kind(self) -> None:
        self.backend(without_protocol_features=[CONFIG])
        self.assert_refused("CONFIG")

    def test_guest_memory_that_is_not_shared(self) -> None:
        self.backend()
        self.assert_refused("memory-backend-memfd,id=mem,size=SIZE,share=on", shared_memory=False)

    def test_a_numa_node_that_is_not_shared(self) -> None:
        self.backend()
        for kinds in (("memfd,share=on", "ram"), ("ram", "memfd,share=on")):
            with self.subTest(kinds):
                nodes = [argument for number, kind in enumerate(kinds) for argument in (
                    "-object", f"memory-backend-{kind},id=n{number},size=32M",
                    "-numa", f"node,memdev=n{number}")]
                with self.assertRaises(QemuFailed) as refusal:
                    Machine(self.qemu, self.folder, "vrdma-pci,chardev=r", *nodes,
                            main_memory=False,
                            chardev=f"socket,id=r,path={self.folder}/backend")
                self.assertIn(f"(memory backend 'n{kinds.index('ram')}')",
                              str(refusal.exception))

    def test_default_guest_memory(self) -> None:
        self.backend()
        done = self.run_qemu("-M", "pc", "-display", "none", "-nodefaults", "-chardev",
                             f"socket,id=r,path={self.folder}/backend", "-device",
                             "vrdma-pci,chardev=r")
        self.assertIn("the guest's memory is not shared", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_a_shm_size_that_is_no_power_of_two(self) -> None:
        self.backend()
        self.assert_refused("shm-size must be a power of two", "vrdma-pci,chardev=r,shm-size=3M")

    def test_a_shm_size_that_is_too_small(self) -> None:
        self.backend()
        self.assert_refused("at least 1M", "vrdma-pci,chardev=r,shm-size=64K")

    def test_no_completion_vector(self) -> None:
        self.backend()
        for name in ("comp-vectors", "completion-queues"):
            with self.subTest(name):
                self.assert_refused("comp-vectors must be between 1 and 64",
                                    f"vrdma-pci,chardev=r,{name}=0")

    def test_port_io_notification(self) -> None:
        self.backend()
        self.assert_refused("modern-pio-notify is not supported",
                            "vrdma-pci,chardev=r,modern-pio-notify=on")

    def test_an_iommu_in_front_of_a_backend_that_knows_none(self) -> None:
        self.backend()
        self.assert_refused("iommu_platform=true is not supported",
                            "vrdma-pci,chardev=r,iommu_platform=on")

    def test_too_many_completion_vectors(self) -> None:
        self.backend()
        for name in ("comp-vectors", "completion-queues"):
            with self.subTest(name):
                self.assert_refused("comp-vectors must be between 1 and 64",
                                    f"vrdma-pci,chardev=r,{name}=65")
