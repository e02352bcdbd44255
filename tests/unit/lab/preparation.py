# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The preparation of runs: programs with logs, folders made once, copies of sources, versions."""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from vrdma_lab import paths
from vrdma_lab.children import end_tree
from vrdma_lab.errors import LabError
from vrdma_lab.setup import apt, build, cache, kernel, packages, rdma_core_tests, rnics, siw
from vrdma_lab.setup.runner import CommandFailed, Runner, Steps


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))


class Running(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.folder / "log"
        self.runner = Runner(self.enterContext(self.log.open("wb")))

    def test_output_and_errors_go_to_the_log(self) -> None:
        self.runner.run(["sh", "-c", "echo out; echo err >&2"])
        self.assertEqual(self.log.read_text(), "out\nerr\n")

    def test_a_failure_names_the_command_as_a_shell_takes_it(self) -> None:
        with self.assertRaisesRegex(CommandFailed, "^status 3 from: sh -c 'exit 3'$"):
            self.runner.run(["sh", "-c", "exit 3"])

    def test_each_program_of_a_pipe_reads_the_one_before(self) -> None:
        self.runner.pipe(["echo", "b\na"], ["sort"], ["tr", "a-z", "A-Z"])
        self.assertEqual(self.log.read_text(), "A\nB\n")

    def test_a_pipe_fails_with_any_of_its_programs(self) -> None:
        with self.assertRaises(CommandFailed):
            self.runner.pipe(["false"], ["cat"])

    def test_what_fails_is_tried_four_times_visibly(self) -> None:
        counter = self.folder / "counter"
        command = ["sh", "-c", f"echo x >> {counter}; [ $(wc -l < {counter}) = 3 ]"]
        self.runner.retry(lambda: self.runner.run(command))
        self.assertEqual(len(counter.read_text().splitlines()), 3)
        self.assertIn("vrdma: attempt 2 of 4 failed", self.log.read_text())
        with self.assertRaises(CommandFailed):
            self.runner.retry(lambda: self.runner.run(["false"]))

    def test_a_step_that_fails_shows_the_end_of_its_log(self) -> None:
        stream, errors = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(paths, "logs", lambda: self.folder),
            contextlib.redirect_stderr(errors),
            self.assertRaisesRegex(LabError, r"^failed: A step \(all of its output: .*/a\.log\)$"),
            Steps(stream).step("A step", "a") as runner,
        ):
            runner.run(["sh", "-c", "seq 100; exit 1"])
        self.assertEqual(stream.getvalue(), "A step\n")
        self.assertTrue(errors.getvalue().startswith("62\n"))
        self.assertTrue(errors.getvalue().endswith("'seq 100; exit 1'\n"))

    def test_a_tree_of_processes_ends_together(self) -> None:
        with subprocess.Popen(["sh", "-c", "sleep 100 & echo $!; wait"], stdout=-1) as shell:
            assert shell.stdout is not None
            child = int(shell.stdout.readline())
            end_tree(shell.pid)
            self.assertEqual(shell.wait(10), -signal.SIGTERM)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{child}").exists() and "Z" not in _state(child):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


class Rnics(unittest.TestCase):
    def prepared(self, *names: str) -> list[str]:
        done: list[str] = []
        for made in ("prepare_siw", "build_connectx_model"):
            does = mock.patch.object(rnics, made, lambda _, made=made: done.append(made))
            self.enterContext(does)
        rnics.prepare_rnics(Steps(io.StringIO()), names)
        return done

    def test_a_model_is_built_once_for_all_that_are_one(self) -> None:
        self.assertEqual(self.prepared("mlx5", "mlx5-ib", "mlx5"), ["build_connectx_model"])

    def test_siw_needs_its_module(self) -> None:
        self.assertEqual(self.prepared("siw"), ["prepare_siw"])

    def test_the_rnics_that_a_kernel_or_a_machine_has_need_nothing(self) -> None:
        self.assertEqual(self.prepared("rxe", "mlx5_0", "embedded", ""), [])


class Cache(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.dict(os.environ, VRDMA_CACHE=str(self.folder)))

    def test_a_folder_that_has_more_than_itself_is_not_made_anew(self) -> None:
        for folder in (self.folder, self.folder.parent, Path("/")):
            with self.subTest(folder), self.assertRaisesRegex(ValueError, "no folder within"):
                cache.make_once(folder, lambda _: None)
        self.assertTrue(self.folder.exists())

    def test_a_folder_is_made_once_for_each_recipe(self) -> None:
        made: list[str] = []

        def make(folder: Path) -> None:
            self.assertEqual(list(folder.iterdir()), [])
            (folder / "part").write_text("")
            made.append(folder.name)

        target = self.folder / "6.1"
        for recipe, times in (("a", 1), ("a", 1), ("b", 2), ("b", 2)):
            cache.make_once(target, make, recipe)
            self.assertEqual(len(made), times)
        self.assertTrue((self.folder / "6.1.lock").exists())

    def test_what_could_not_be_made_is_not_complete(self) -> None:
        def fail(folder: Path) -> None:
            raise LabError("no mirror")

        with self.assertRaises(LabError):
            cache.make_once(self.folder / "x", fail)
        self.assertFalse(cache.is_complete(self.folder / "x"))


class DriverSources(FolderTest):
    """The folder of a kernel, in which the driver's Makefile links the sources."""

    def setUp(self) -> None:
        super().setUp()
        self.target = self.folder / "6.1"
        self.link_sources()

    def link_sources(self) -> None:
        make = ["make", "-s", "-C", str(paths.SOURCE / "frontend"), f"BUILD={self.target}", "tree"]
        subprocess.run(make, check=True)

    def names(self) -> set[Path]:
        files = (file for file in self.target.rglob("*") if not file.is_dir())
        return {file.relative_to(self.target) for file in files}

    def test_sources_come_with_their_folders(self) -> None:
        source = paths.SOURCE / "frontend"
        wanted = {file.relative_to(source) for file in source.rglob("*.[ch]")}
        common = {Path("common") / file.name for file in (paths.SOURCE / "common").glob("*.h")}
        self.assertEqual(self.names(), wanted | common | {Path("Kbuild")})

    def test_links_to_sources_that_are_gone_go_and_what_was_built_stays(self) -> None:
        before = self.names()
        (self.target / "main.o").write_text("")
        (self.target / "gone.c").symlink_to(self.folder / "gone.c")
        self.link_sources()
        self.assertEqual(self.names(), before | {Path("main.o")})


MIRROR = "http://deb.debian.org/debian"
MADISON = f"""\
   linux-source-6.1 | 6.1.9-1 | {MIRROR} bookworm/main amd64 Packages
   linux-source-6.1 | 6.1.10-1 | {MIRROR} bookworm-updates/main amd64 Packages
   linux-source-6.1 | 6.12.1-1~bpo12+1 | {MIRROR} bookworm-backports/main amd64 Packages
      linux | 6.1.11-1 | {MIRROR} bookworm/main Sources
"""
RECORD = """\
Package: linux-headers-6.1.0-9-amd64
Pre-Depends: nothing
Depends: linux-headers-6.1.0-9-common (= 6.1.27-1), linux-kbuild-6.1 (>= 6.1.27-1), gcc-12
"""


class Packages(unittest.TestCase):
    def test_each_package_of_some_groups_is_named_once(self) -> None:
        found = packages.of_groups(["build", "lab", "run"])
        self.assertEqual(len(found), len(set(found)))
        self.assertIn("kmod", found)
        self.assertIn("qemu-system-x86", found)
        self.assertNotIn("valgrind", found)

    def test_those_are_missing_that_dpkg_does_not_have(self) -> None:
        self.assertEqual(packages.missing(["dpkg", "vrdma-no-such", "bash"]), ["vrdma-no-such"])

    def test_a_suite_has_the_versions_of_its_updates_too(self) -> None:
        self.assertEqual(apt.versions_in(MADISON, "bookworm"), ["6.1.9-1", "6.1.10-1"])
        self.assertEqual(apt.versions_in(MADISON, "bookworm-backports"), ["6.12.1-1~bpo12+1"])
        self.assertEqual(apt.versions_in(MADISON, "trixie"), [])

    def test_versions_have_debians_order(self) -> None:
        self.assertEqual(apt.newest(["6.1.9-1", "6.1.10-1", "6.1.10-1~rc1"]), "6.1.10-1")

    def test_a_dependency_is_found_by_its_whole_name(self) -> None:
        self.assertEqual(apt.depends_in(RECORD, "linux-kbuild-.*"), "linux-kbuild-6.1")
        self.assertEqual(apt.depends_in(RECORD, "gcc"), "")

    def test_the_private_root_knows_sources_of_all_suites(self) -> None:
        lines = apt.sources_list("http://mirror").splitlines()
        self.assertEqual(len(lines), 10)
        self.assertTrue(lines[-1].startswith("deb-src "))
        self.assertTrue(lines[-1].endswith(" http://mirror trixie-backports main"))

    def test_kernels_and_suites_are_those_that_can_be_asked_for(self) -> None:
        known = (*paths.KERNELS, *paths.BUILT_KERNELS, paths.NEWEST_KERNEL)
        self.assertEqual(tuple(kernel.SUITES), known)
        self.assertEqual(list(rdma_core_tests.SUITES), ["44", "56"])


class RdmaCoreTests(FolderTest):
    def test_programs_that_no_test_needs_go_with_the_links_to_them(self) -> None:
        for name in ("usr/sbin/rdma", "usr/sbin/arpd", "usr/lib/python3.11/test/x.py"):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        (self.folder / "usr" / "bin").mkdir()
        (self.folder / "usr" / "bin" / "ctstat").symlink_to("lnstat")
        found = {
            str(path.relative_to(self.folder)) for path in rdma_core_tests.needless(self.folder)
        }
        self.assertEqual(found, {"usr/bin/ctstat", "usr/sbin/arpd", "usr/lib/python3.11/test"})


class Kernels(unittest.TestCase):
    def test_the_kernel_is_found_behind_what_looks_like_its_beginning(self) -> None:
        elf = b"\x7fELF" + bytes(1000)
        image = b"MZ\xfd7zXZ\x00 no kernel" + lzma.compress(elf) + b"what follows"
        self.assertEqual(kernel.decompressed(image), elf)

    def test_an_image_without_a_kernel_is_refused(self) -> None:
        with self.assertRaisesRegex(LabError, "not known here"):
            kernel.decompressed(b"MZ" + lzma.compress(b"no kernel"))

    def test_a_kernel_says_the_version_of_its_package(self) -> None:
        compiler = b"(debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)"
        banner = (
            b"Linux version 6.1.0-9-amd64 " + compiler + b" #1 SMP Debian 6.1.27-1 (2023-05-08)"
        )
        self.assertEqual(siw.package_version(b"\0\xff" + banner + b"\n\0"), "6.1.27-1")
        self.assertEqual(siw.package_version(b"Linux version %s (%s)"), "")

    def test_qemu_says_its_version(self) -> None:
        said = "QEMU emulator version 7.2.13 (Debian 1:7.2+dfsg-7)\nCopyright\n"
        self.assertEqual(build.qemu_version(said), "7.2")
        with self.assertRaises(LabError):
            build.qemu_version("no QEMU")


class Scripts(unittest.TestCase):
    def test_each_command_starts_its_module(self) -> None:
        for name in ("bench", "demo", "lab", "test"):
            script = (paths.SOURCE / "scripts" / name).read_text()
            self.assertTrue(script.endswith(f'vrdma_start {name} "$@"\n'), name)
            self.assertTrue((paths.SOURCE / "scripts/vrdma_lab/cli" / f"{name}.py").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
