# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The checks that another program makes: each finds what it is there for."""
from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from project import CACHE, SOURCE, ProjectTest
from vrdma_check import (checkpatch, clang_format, clang_tidy, flake8, mypy, programs, shellcheck,
                         sparse)
from vrdma_check.tree import Style, style_of

LICENCE = "// SPDX-License-Identifier: GPL-2.0\n"


class ClangFormat(ProjectTest):
    def test_a_file_with_another_layout_is_found(self) -> None:
        self.write("backend/good.cc", "int a = 1;\n")
        self.write("backend/bad.cc", "int a=1;\n")
        findings = clang_format.run(self.context()).findings
        self.assertEqual(findings, ["backend/bad.cc:1: clang-format would change this and 1 more"])

    def test_the_driver_and_the_qemu_device_have_the_layout_of_their_projects(self) -> None:
        self.write("frontend/a.c", "int a=1;\n")
        self.write("qemu-device/a.c", "int a=1;\n")
        self.assertEqual(clang_format.run(self.context()).findings, [])

    def test_each_file_in_c_has_one_style(self) -> None:
        self.assertEqual(style_of("backend/rnic/rnic.h"), Style.PROJECT)
        self.assertEqual(style_of("common/vrdma_check.h"), Style.KERNEL)
        self.assertEqual(style_of("frontend/core/cmd.c"), Style.KERNEL)
        self.assertEqual(style_of("qemu-device/vrdma_pci.c"), Style.QEMU)
        self.assertIsNone(style_of("frontend/Kbuild"))


class ClangTidy(ProjectTest):
    def setUp(self) -> None:
        super().setUp()
        # In place of what CMake writes, which would take longer than the check.
        commands = [{"directory": str(self.root), "file": f"{self.root}/backend/{name}",
                     "command": f"c++ -I{self.root}/backend -c {self.root}/backend/{name}"}
                    for name in ("a.cc", "b.cc")]
        self.write("build/compile_commands.json", json.dumps(commands))
        configured = mock.patch.object(clang_tidy, "configure", lambda tree: tree.root / "build")
        configured.start()
        self.addCleanup(configured.stop)
        self.write(".gitignore", "/build/\n")
        self.write("backend/a.h", "int good_name();\n")
        self.write("backend/a.cc", '#include "a.h"\nint good_name() { return 1; }\n')
        self.write("backend/b.cc", "int other() { return 2; }\n")

    def test_a_bad_name_is_found_once_though_two_files_include_it(self) -> None:
        self.write("backend/a.h", "int BadName();\n")
        self.write("backend/b.cc", '#include "a.h"\nint other() { return 2; }\n')
        findings = clang_tidy.run(self.context()).findings
        self.assertEqual(len(findings), 1)
        self.assertIn("backend/a.h:1:5: error: invalid case style for function 'BadName'",
                      findings[0])

    def test_what_passed_is_known_until_a_header_changes(self) -> None:
        self.assertIn("2 files, 0 known", clang_tidy.run(self.context()).looked_at)
        self.assertIn("2 files, 2 known", clang_tidy.run(self.context()).looked_at)
        self.write("backend/a.h", "int good_name();\nint BadName();\n")
        outcome = clang_tidy.run(self.context())
        self.assertIn("2 files, 1 known", outcome.looked_at)
        self.assertEqual(len(outcome.findings), 1)
        self.assertEqual(len(clang_tidy.run(self.context()).findings), 1)

    def test_what_passed_stays_known_when_another_folder_gets_its_own_configuration(self) -> None:
        clang_tidy.run(self.context())
        self.write("tests/.clang-tidy", "InheritParentConfig: true\n")
        self.assertIn("2 files, 2 known", clang_tidy.run(self.context()).looked_at)
        self.write("backend/.clang-tidy", "InheritParentConfig: true\n")
        self.assertIn("2 files, 0 known", clang_tidy.run(self.context()).looked_at)

    def test_by_default_only_what_changed_and_what_includes_it_is_judged(self) -> None:
        self.commit()
        self.git("branch", "main")
        self.write("backend/a.h", "int BadName();\n")
        self.commit()
        outcome = clang_tidy.run(self.context(everything=False))
        self.assertIn("1 changed files", outcome.looked_at)
        self.assertEqual(len(outcome.findings), 1)

    def test_what_the_time_did_not_allow_is_said(self) -> None:
        outcome = clang_tidy.run(self.context(seconds=-1))
        self.assertIn("0 files, 0 known from before; 2 more not reached", outcome.looked_at)

    def test_a_minute_is_left_however_long_the_other_checks_took(self) -> None:
        late = dataclasses.replace(self.context(seconds=230), started=time.monotonic() - 1000)
        end = clang_tidy.end_of_time(late)
        assert end is not None
        self.assertAlmostEqual(end - time.monotonic(), 60, delta=10)


class Shellcheck(ProjectTest):
    def test_a_script_is_known_by_its_first_line_and_its_mistake_is_found(self) -> None:
        self.write("scripts/a", "#!/bin/bash\necho $1\n")
        self.write("scripts/lib/b.sh", "# shellcheck shell=bash\nx=1\n")
        self.write("scripts/c.txt", "echo $1\n")
        findings = shellcheck.run(self.context()).findings
        self.assertEqual(len(findings), 2)
        self.assertIn("scripts/a:2:6: note: Double quote", findings[0])
        self.assertIn("scripts/lib/b.sh:2:1: warning: x appears unused", findings[1])


class Python(ProjectTest):
    library: Path

    def setUp(self) -> None:
        super().setUp()
        # What mypy knows of the standard library, which costs seconds to find out.
        shutil.copytree(self.library, self.root / mypy.CACHE)

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="vrdma-check-test."))
        cls.library = Path(folder) / "library"
        # A file, since mypy takes no --command where its configuration names files.
        program = Path(folder) / "program.py"
        program.write_text("import enum\n")
        subprocess.run(["/usr/bin/python3", "-m", "mypy", f"--config-file={SOURCE}/pyproject.toml",
                        *mypy.OPTIONS, f"--cache-dir={cls.library}", str(program)],
                       cwd=folder, check=True)

    def test_flake8_finds_an_unused_import(self) -> None:
        self.write("scripts/a.py", "import os\n")
        self.assertEqual(flake8.run(self.context()).findings,
                         ["scripts/a.py:1:1: F401 'os' imported but unused"])

    def test_flake8_reads_a_script_without_a_suffix(self) -> None:
        self.write("tests/run", "#!/usr/bin/python3\nimport os\n")
        self.assertEqual(len(flake8.run(self.context()).findings), 1)

    def test_mypy_finds_a_wrong_type(self) -> None:
        self.write("tests/a.py", "def a(b: int) -> str:\n    return b\n")
        self.assertEqual(len(mypy.run(self.context()).findings), 1)

    def test_two_folders_may_have_files_of_one_name(self) -> None:
        self.write("tests/one/support.py", "VALUE = 1\n")
        self.write("tests/two/support.py", "VALUE = 'a'\n")
        self.write("tests/two/user.py", "import support\n\ntext: str = support.VALUE\n")
        self.assertEqual(mypy.run(self.context()).findings, [])

    def test_a_package_is_one_program(self) -> None:
        for path in ("scripts/house/__init__.py", "scripts/house/room/__init__.py"):
            self.write(path, "")
        self.write("scripts/house/room/a.py", "VALUE = 1\n")
        self.write("scripts/house/b.py",
                   "from house.room.a import VALUE\n\ntext: str = VALUE\n")
        self.assertEqual(list(mypy.groups(self.context().tree)), ["scripts/house"])
        self.assertEqual(len(mypy.run(self.context()).findings), 1)


@unittest.skipUnless((CACHE / "checkpatch" / "qemu" / ".complete").exists(),
                     "checkpatch.pl is fetched by scripts/check checkpatch")
class Checkpatch(ProjectTest):
    def found(self) -> list[str]:
        return checkpatch.run(self.context(cache=CACHE)).findings

    def test_the_driver_has_the_style_of_linux(self) -> None:
        self.write("frontend/a.c", LICENCE + "int a(void)\n{\n\tif(1) return 1;\n\treturn 0;\n}\n")
        findings = self.found()
        self.assertTrue(any("ERROR:SPACING" in finding for finding in findings), findings)
        self.assertTrue(all(finding.startswith("frontend/a.c:4:") for finding in findings))

    def test_checks_of_strict_are_findings(self) -> None:
        self.write("frontend/a.c", LICENCE + "bool a(void *b)\n{\n\treturn b == NULL;\n}\n")
        self.assertTrue(any("CHECK:COMPARISON_TO_NULL" in finding for finding in self.found()))

    def test_the_qemu_device_has_the_style_of_qemu(self) -> None:
        self.write("qemu-device/a.c", "int a(void)\n{\n    if (1)\n        return 1;\n"
                   "    return 0;\n}\n")
        self.assertEqual(len(self.found()), 1)

    def test_a_clean_file_has_no_findings(self) -> None:
        self.write("frontend/a.c", LICENCE + "int a(void)\n{\n\treturn 0;\n}\n")
        self.write("qemu-device/a.c", "int a(void)\n{\n    return 0;\n}\n")
        self.assertEqual(self.found(), [])


class Sparse(ProjectTest):
    def test_a_pointer_of_another_address_space_is_found(self) -> None:
        path = self.write("frontend/a.c", "#define __user __attribute__((noderef, "
                          "address_space(1)))\nint a(int __user *b);\n"
                          "int a(int __user *b)\n{\n\treturn *b;\n}\n")
        ran = programs.run(["sparse", path], self.root)
        findings = sparse.findings_of(ran.lines, self.context().tree, self.root)
        self.assertEqual(findings, ["frontend/a.c:5: warning: dereference of noderef expression"])

    def test_a_finding_in_kbuild_s_folder_is_named_by_its_source(self) -> None:
        self.write("frontend/core/a.c", "")
        self.write("common/b.h", "")
        work = self.root / "build" / "frontend" / "6.1"
        (work / "core").mkdir(parents=True)
        (work / "core" / "linked.c").symlink_to(self.root / "frontend" / "core" / "a.c")
        lines = [f"{work}/core/a.c:3:4: warning: one", f"{work}/common/b.h:5:6: error: two",
                 f"{work}/core/linked.c:7:8: warning: three", "core/a.c:9:1: warning: four",
                 "./include/linux/list.h:1:2: warning: the kernel's own"]
        self.assertEqual(sparse.findings_of(lines, self.context().tree, work),
                         ["common/b.h:5: error: two", "frontend/core/a.c:3: warning: one",
                          "frontend/core/a.c:7: warning: three",
                          "frontend/core/a.c:9: warning: four"])


if __name__ == "__main__":
    unittest.main()
