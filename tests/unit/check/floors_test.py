# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""floors: an arrow up is found."""
from __future__ import annotations

import unittest

from project import SOURCE, ProjectTest
from vrdma_check import floors
from vrdma_check.check import CheckError

TABLE = """
search = ["house"]
[[house]]
path = "house"
floors = [["roof"], ["left", "right"], ["cellar"]]
[[never]]
from = "house/roof"
to = "house/cellar/"
why = "the roof knows nothing of the cellar"
"""


class Floors(ProjectTest):
    def setUp(self) -> None:
        super().setUp()
        self.write("house/roof.h", "")
        self.write("house/left/a.h", "")
        self.write("house/left/b.h", "")
        self.write("house/right/a.h", "")
        self.write("house/cellar/a.h", "")

    def found(self, path: str, included: str, table: str = TABLE) -> list[str]:
        self.write(path, f"#pragma once\n#include {included}\n")
        return floors.judge(floors.read_table(table), self.context().tree).findings

    def test_an_arrow_down_is_right(self) -> None:
        self.assertEqual(self.found("house/left/a.h", '"cellar/a.h"'), [])

    def test_an_arrow_within_a_room_is_right(self) -> None:
        self.assertEqual(self.found("house/left/a.h", '"b.h"'), [])

    def test_an_arrow_up_is_found(self) -> None:
        self.assertEqual(
            self.found("house/cellar/a.h", '"left/a.h"'),
            ["house/cellar/a.h:2: house: 'cellar' includes house/left/a.h of 'left', "
             "which is above it"])

    def test_an_arrow_to_a_room_on_the_same_floor_is_found(self) -> None:
        self.assertEqual(len(self.found("house/left/a.h", '"right/a.h"')), 1)

    def test_the_other_brackets_and_a_way_round_are_found_as_well(self) -> None:
        self.assertEqual(len(self.found("house/cellar/a.h", "<left/a.h>")), 1)
        self.assertEqual(len(self.found("house/cellar/a.h", '"../left/../left/a.h"')), 1)

    def test_files_with_the_room_s_name_are_the_room(self) -> None:
        self.assertEqual(self.found("house/roof.cc", '"roof.h"'), [])
        self.assertEqual(len(self.found("house/cellar/a.h", '"roof.h"')), 1)

    def test_an_arrow_that_is_never_wanted_is_found_though_it_goes_down(self) -> None:
        self.assertEqual(self.found("house/roof.h", '"cellar/a.h"'),
                         ["house/roof.h:2: includes house/cellar/a.h: "
                          "the roof knows nothing of the cellar"])

    def test_an_include_of_another_folder_is_not_this_house_s(self) -> None:
        self.assertEqual(self.found("tests/a.cc", '"roof.h"'), [])

    def test_a_room_without_a_floor_is_found(self) -> None:
        self.assertEqual(self.found("house/attic/a.h", "<vector>"),
                         ["house/attic/a.h:1: floors.toml has no floor for the room 'attic' of "
                          "house"])

    def test_a_room_that_is_not_there_is_found(self) -> None:
        table = TABLE.replace('"right"', '"right", "middle"')
        self.assertEqual(self.found("house/left/a.h", "<vector>", table),
                         ["house: floors.toml has a room 'middle', which is not there"])

    def test_a_room_on_two_floors_is_found(self) -> None:
        table = TABLE.replace('["cellar"]', '["cellar", "left"]')
        self.assertEqual(self.found("house/left/a.h", "<vector>", table),
                         ["house: floors.toml has the room 'left' twice"])

    def test_a_house_within_a_house_is_judged_by_both(self) -> None:
        table = TABLE + """
            [[house]]
            path = "house/left"
            floors = [["a"], ["b"]]
        """
        self.assertEqual(len(self.found("house/left/b.h", '"a.h"', table)), 1)

    def test_a_table_with_a_mistake_is_no_pass(self) -> None:
        for text in ("[[house]]", "search = 1", "house = ["):
            with self.assertRaises(CheckError):
                floors.read_table(text)

    def test_the_project_s_own_table_can_be_read(self) -> None:
        table = floors.read_table(floors.TABLE.read_text(encoding="utf-8"))
        for house in table.houses:
            self.assertTrue((SOURCE / house.path).is_dir(), house.path)


if __name__ == "__main__":
    unittest.main()
