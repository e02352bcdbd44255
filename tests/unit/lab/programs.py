# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Command lines of RDMA programs, and the figures that are read from what they print."""

from __future__ import annotations

import os
import unittest
import unittest.mock

from vrdma_lab.bench.request import Request
from vrdma_lab.machine.channel import Outcome
from vrdma_lab.programs import rping
from vrdma_lab.programs.perftest import MANY, Run, connected_ways, every_way, only_measured
from vrdma_lab.programs.traffic import Exchange, Measurement, read_figures
from vrdma_lab.test_form import form_variables

PINGPONG = """\
  local address:  LID 0x0000, QPN 0x000011, PSN 0x6d9d9d, GID ::ffff:10.77.0.1
614400 bytes in 0.02 seconds = 245.76 Mbit/sec
300 iters in 0.02 seconds = 66.50 usec/iter
"""
LATENCY = """\
 #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    t_stdev[usec]
 2       300          12.10           99.01        14.25              15.00          3.10
"""
BANDWIDTH = """\
 #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]
 65536      500              8.10               {average}             0.015
"""


def read(tool: str, output: str) -> Measurement:
    result = Measurement(Exchange(tool, 65536, 500), "a", "b")
    if not read_figures(output, result):
        result.error = "no figures"
    return result


class Figures(unittest.TestCase):
    def test_a_pingpong_has_both_figures_the_time_being_one_way(self) -> None:
        result = read("ibv_rc_pingpong", PINGPONG)
        self.assertEqual((result.mbit_per_s, result.latency_us), (245.76, 33.25))

    def test_latency_is_the_average(self) -> None:
        result = read("ib_send_lat", LATENCY)
        self.assertEqual((result.latency_us, result.mbit_per_s), (15.0, None))

    def test_bandwidth_is_the_average_in_megabits(self) -> None:
        result = read("ib_write_bw", BANDWIDTH.format(average="7.90"))
        self.assertEqual((result.latency_us, result.mbit_per_s), (None, 7900.0))

    def test_figures_that_are_none_are_missing(self) -> None:
        for average in ("inf", "nan", "0.00"):
            self.assertFalse(read("ib_write_bw", BANDWIDTH.format(average=average)).ok, average)
        self.assertFalse(read("ib_write_bw", "Couldn't connect\n").ok)

    def test_the_keys_are_those_that_users_of_the_json_know(self) -> None:
        keys = {"test", "from", "to", "bytes", "latency_us", "mbit_per_s", "ok"}
        self.assertEqual(set(read("ib_send_lat", LATENCY).as_json()), keys)


class Perftest(unittest.TestCase):
    run_once = Run("send", "bw", "RC", iterations=5, size=65536)
    row = " 65536      5              8.10               7.90             0.015\n"

    def problems(self, output: str, status: int = 0) -> list[str]:
        return self.run_once.problems(Outcome(status, output), serves=False)

    def test_a_run_that_went_well_has_no_problems(self) -> None:
        self.assertEqual(self.problems(self.row), [])

    def test_what_went_wrong_is_said(self) -> None:
        self.assertIn("ended with status 1", self.problems(self.row, 1))
        self.assertIn("said: Failed status 12", self.problems(self.row + "Failed status 12\n"))
        self.assertEqual(self.problems(""), ["has rows for [], not for [65536]"])
        few = self.problems(self.row.replace(" 5 ", " 4 "))
        self.assertEqual(few, ["did 4 iterations of 65536 bytes, not 5"])

    def test_figures_alone_are_told_from_failures(self) -> None:
        odd = self.problems(self.row.replace("8.10", "inf"))
        self.assertTrue(only_measured(odd))
        self.assertFalse(only_measured([*odd, "ended with status 1"]))
        self.assertFalse(only_measured([]))

    def test_all_sizes_end_at_the_largest_message(self) -> None:
        sizes = Run("send", "lat", "RC", 5).sizes()
        self.assertEqual((sizes[0], sizes[-1], len(sizes)), (2, 8 << 20, 23))
        self.assertEqual(Run("send", "lat", "UD", 5).sizes()[-1], 1024)
        self.assertEqual(Run("atomic", "lat", "RC", 5).sizes(), [8])

    def test_no_way_to_run_is_there_twice(self) -> None:
        for ways in (list(every_way(5)), list(connected_ways(5))):
            self.assertEqual(len(ways), len(set(ways)))
        self.assertFalse(any(run.events and run.verb == "write" for run in every_way(5)))
        self.assertFalse(any(run.transport == "UC" for run in connected_ways(5)))
        self.assertIn(Run("read", "bw", "RC", 5, 65536, pairs=MANY), list(every_way(5)))

    def test_the_long_form_combines_what_the_short_one_has_alone(self) -> None:
        self.enterContext(unittest.mock.patch.dict(os.environ))
        for name in form_variables(True):
            os.environ.pop(name, None)
        short = set(every_way(5))
        os.environ |= form_variables(True)
        more = set(every_way(5)) - short
        self.assertTrue(short < set(every_way(5)))
        self.assertIn(Run("send", "bw", "UD", 5, 1024, both_ways=True, pairs=MANY), more)
        self.assertTrue(all(run.combines for run in more))

    def test_the_short_form_connects_in_each_way_and_with_each_transport_of_each_verb(self) -> None:
        self.enterContext(unittest.mock.patch.dict(os.environ))
        for name in form_variables(True):
            os.environ.pop(name, None)
        short = list(connected_ways(5))
        self.assertEqual(
            [(run.verb, run.transport) for run in short],
            [("send", "RC"), ("send", "UD"), ("write", "RC"), ("read", "RC"), ("atomic", "RC")],
        )
        self.assertTrue(any(run.what == "lat" for run in short))
        for way in ("events", "both_ways"):
            self.assertTrue(any(getattr(run, way) for run in short), way)
        self.assertTrue(any(run.pairs == MANY for run in short))
        os.environ |= form_variables(True)
        self.assertTrue(set(short) < set(connected_ways(5)))


class Rpings(unittest.TestCase):
    pings = "ping data: rdma-ping-0: ABC\nping data: rdma-ping-1: BCD\n"
    ending = "client DISCONNECT EVENT...\n"
    late = "rdma_get_cm_event: Bad file descriptor\n"

    def succeeded(self, output: str, status: int = 0, pings: int = 2) -> bool:
        return rping.succeeded(Outcome(status, output), pings)

    def test_a_client_and_a_server_that_did_all_pings_have_succeeded(self) -> None:
        self.assertTrue(self.succeeded(self.pings + self.ending))
        server = self.pings.replace("ping data", "server ping data")
        self.assertTrue(self.succeeded(server + "wait for RDMA_READ_ADV state 10\n"))

    def test_a_thread_that_asks_the_closed_channel_is_no_failure(self) -> None:
        self.assertTrue(self.succeeded(self.pings + self.ending + self.late, 255))
        # Standard output may come after standard error.
        self.assertTrue(self.succeeded(self.ending + self.late + self.pings, 255))

    def test_a_ping_that_is_missing_is_a_failure_whatever_the_status(self) -> None:
        self.assertFalse(self.succeeded(self.pings + self.ending, pings=3))
        self.assertFalse(self.succeeded(self.pings + self.ending + self.late, 255, pings=3))
        self.assertFalse(self.succeeded("", pings=0))

    def test_another_status_or_reason_is_a_failure(self) -> None:
        self.assertFalse(self.succeeded(self.pings + self.ending, 255))
        self.assertFalse(self.succeeded(self.pings + self.late, 139))
        removed = "cma detected device removal!!!!\n"
        self.assertFalse(self.succeeded(self.pings + removed, 255))
        self.assertFalse(self.succeeded(self.pings + self.late.replace("Bad file", "Bad"), 255))

    def test_the_late_threads_line_is_taken_out_of_an_output(self) -> None:
        cmtime = "failure in rdma_get_cm_event in process_server_events: Bad file descriptor\n"
        self.assertEqual(rping.without_late_reader(f"one\n{cmtime}two\n{self.late}"), "one\ntwo\n")
        other = "rdma_get_cm_event: Input/output error\n"
        self.assertEqual(rping.without_late_reader(other), other)


class Requests(unittest.TestCase):
    def test_a_request_passes_as_one_word(self) -> None:
        request = Request(("parts", "latency"), 3, "embedded", "/x/report.json")
        self.assertEqual(Request.decoded(request.encoded()), request)


if __name__ == "__main__":
    unittest.main(verbosity=2)
