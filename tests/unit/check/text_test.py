# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The checks that read the text themselves: columns, spdx, prose, named-tests."""
from __future__ import annotations

import unittest

from project import ProjectTest
from vrdma_check import columns, messages, named_tests, prose, spdx


class Columns(ProjectTest):
    def test_a_line_of_101_columns_is_found_and_one_of_100_is_not(self) -> None:
        self.write("a.cc", "x " * 50 + "\n" + "x " * 50 + "x\n")
        self.assertEqual(columns.run(self.context()).findings,
                         ["a.cc:2: 101 columns, 100 are allowed"])

    def test_a_tab_counts_to_the_next_multiple_of_eight(self) -> None:
        self.write("a.c", "\tint " + "x " * 43 + "\n" + "\tint " + "x " * 45 + "\n")
        self.assertEqual(len(columns.run(self.context()).findings), 1)

    def test_documents_count_as_code_does(self) -> None:
        self.write("a.md", "word " * 30 + "\n")
        self.assertEqual(len(columns.run(self.context()).findings), 1)

    def test_a_row_of_a_table_in_markdown_may_be_longer(self) -> None:
        self.write("a.md", "| " + "word " * 30 + "|\n")
        self.write("a.cc", "| " + "word " * 30 + "|\n")
        self.assertEqual([finding.split(":")[0] for finding in
                          columns.run(self.context()).findings], ["a.cc"])

    def test_a_single_word_cannot_be_broken(self) -> None:
        link = "https://example.org/" + "x" * 100
        self.write("a.cc", f"// {link}\n// see {link}\n")
        self.assertEqual(len(columns.run(self.context()).findings), 1)

    def test_a_message_of_the_driver_is_not_broken(self) -> None:
        message = '\t\t"' + "word " * 20 + '\\n",\n'
        self.write("frontend/a.c", message + "\tpr_info(" + message.strip() + " a, b);\n")
        self.write("backend/a.cc", message)
        self.assertEqual([finding.rpartition(":")[0] for finding in
                          columns.run(self.context()).findings],
                         ["backend/a.cc:1", "frontend/a.c:2"])

    def test_a_file_that_git_ignores_is_not_the_project_s(self) -> None:
        self.write(".gitignore", "/build/\n")
        self.write("build/a.cc", "x " * 60)
        self.assertEqual(columns.run(self.context()).findings, [])


class Spdx(ProjectTest):
    def test_a_source_file_without_a_licence_is_found(self) -> None:
        self.write("backend/a.cc", "// A file.\n")
        self.assertEqual(
            spdx.run(self.context()).findings,
            ["backend/a.cc:1: no line 'SPDX-License-Identifier: Apache-2.0' at the top"])

    def test_the_licence_is_that_of_the_folder(self) -> None:
        for path in ("frontend/a.c", "qemu-device/a.c", "common/a.h", "backend/a.cc"):
            self.write(path, "// SPDX-License-Identifier: GPL-2.0\n")
        self.assertEqual([finding.split(":")[0] for finding in spdx.run(self.context()).findings],
                         ["backend/a.cc", "common/a.h", "qemu-device/a.c"])

    def test_a_script_may_begin_with_its_interpreter(self) -> None:
        self.write("scripts/a", "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\n")
        self.assertEqual(spdx.run(self.context()).findings, [])

    def test_documents_need_no_line(self) -> None:
        self.write("docs/a.md", "# A\n")
        self.assertEqual(spdx.run(self.context()).findings, [])


class Prose(ProjectTest):
    def found(self, path: str, text: str) -> list[str]:
        self.write(path, text)
        return prose.run(self.context()).findings

    def test_a_comment_that_begins_with_of_is_found(self) -> None:
        self.assertEqual(self.found("a.h", "// Of one of the ids; how many events.\nint a;\n"),
                         ["a.h:1: a sentence begins with 'Of one'"])

    def test_a_sentence_in_the_middle_of_a_line_is_found(self) -> None:
        self.assertEqual(len(self.found("a.h", "// Counted here. Of a window, nothing is.\n")), 1)

    def test_a_document_that_begins_with_those_of_is_found(self) -> None:
        self.assertEqual(len(self.found("a.md", "- Those of the kernel are kept.\n")), 1)

    def test_a_line_that_goes_on_from_the_line_before_is_no_beginning(self) -> None:
        self.assertEqual(self.found("a.h", "// Counts the events\n// Of the kernel.\n"), [])

    def test_code_is_not_prose(self) -> None:
        self.assertEqual(self.found("a.cc", 'auto a = "x. Of a kind";\n'), [])
        self.assertEqual(self.found("b.md", "```\nOf a kind\n```\n"), [])

    def test_of_course_is_no_object(self) -> None:
        self.assertEqual(self.found("a.h", "// Of course the guest may lie.\n"), [])


class NamedTests(ProjectTest):
    def found(self, text: str) -> list[str]:
        self.write("tests/unit/a/a_test.cc",
                   "TEST_F(Ring, IsBounded) {\n}\nTEST(RingTest,\n     IsStopped) {\n}\n")
        self.write("tests/unit/CMakeLists.txt",
                   "add_test(NAME fuzz.${name} COMMAND a)\nadd_e2e_test(perftest SHORT)\n")
        self.write("docs/threat-model.md", text)
        return [finding.split(": ")[1] for finding in named_tests.run(self.context()).findings]

    def test_tests_of_each_form_that_exist_are_taken(self) -> None:
        self.assertEqual(self.found(
            "(`Ring.IsBounded`, `Ring.*`, `Ring.Is*`, `RingTest`,\n`IsStopped`, `fuzz.x`, "
            "`e2e.perftest`)\n"), [])

    def test_those_that_do_not_are_found(self) -> None:
        names = ("Ring.IsBound", "Rings.*", "RingTests", "IsNotStopped", "e2e.perftests")
        self.assertEqual(self.found("".join(f"`{name}`\n" for name in names)),
                         [f"there is no test '{name}'" for name in names])

    def test_other_code_is_no_test(self) -> None:
        self.assertEqual(self.found("`CAP_NET_ADMIN`, `EINVAL`, `rnic.h`, `socket_mode`, `O_X`"),
                         [])


class Messages(ProjectTest):
    """Each message for people is in the page of troubleshooting."""

    def found(self, page: str, **files: str) -> list[str]:
        self.write("docs/troubleshooting.md", page)
        for name, text in files.items():
            self.write(name.replace("__", "/").replace("_c", ".c"), text)
        return [finding.split(": ", 1)[0] for finding in messages.run(self.context()).findings]

    def test_a_message_that_the_page_has_not_is_found_with_its_line(self) -> None:
        files = {"backend__a_cc": '\nlog->warn("{}: the socket is gone; start {}", name);\n',
                 "frontend__a_c": '\tdev_err(&dev->vdev->dev,\n\t\t"no queue %d\\n", n);\n',
                 "qemu-device__a_c": '    error_setg(errp, "bad size of %" PRIu64 " bytes", n);\n'}
        self.assertEqual(self.found("", **files),
                         ["backend/a.cc:2", "frontend/a.c:1", "qemu-device/a.c:1"])
        page = "| `the socket is gone; start it` |\n| `no queue 3` |\n| `bad size of 7 bytes` |\n"
        self.assertEqual(self.found(page, **files), [])

    def test_a_message_in_several_strings_is_one(self) -> None:
        text = 'log_.error("{} is " "broken and " "stays so: {}", a, b);\n'
        self.assertEqual(self.found("x is broken and stays so: y", backend__a_cc=text), [])
        self.assertEqual(self.found("is broken", backend__a_cc=text), ["backend/a.cc:1"])

    def test_information_and_messages_of_tools_need_not_be_there(self) -> None:
        self.assertEqual(self.found("", backend__a_cc='log->info("everything is well");\n',
                                    backend__vrdmactl__a_cc='out.error("is no number");\n'), [])


if __name__ == "__main__":
    unittest.main()
