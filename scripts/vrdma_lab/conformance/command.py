# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""Runs rdma-core's tests on their targets and judges the outcomes.

CTest runs this module as a program, with everything built and prepared:

    python3 -m vrdma_lab.conformance.command [--short REGEX] TARGET...

It runs the newest version, of which `--short` gives the tests, or in the long form all versions
with all tests. It leaves docs/conformance.md as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vrdma_lab import document, paths
from vrdma_lab.children import WorkFolder, run_program
from vrdma_lab.conformance.document import document as document_of
from vrdma_lab.conformance.results import OUTCOMES, Known, Result, Results, Run, read_known
from vrdma_lab.conformance.run import VERSIONS, Version
from vrdma_lab.conformance.targets import TARGETS, groups
from vrdma_lab.test_form import is_long

COMMAND = "scripts/test conformance"
DOCUMENT = paths.SOURCE / "docs" / "conformance.md"
KNOWN = paths.SOURCE / "tests" / "conformance" / "known.toml"

_DID_NOT_RUN = " did not run"


@dataclass
class _Job:
    """A process that runs a version of the tests on some targets, which share a host."""

    version: Version
    targets: tuple[str, ...]
    report: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def title(self) -> str:
        """The version and the targets."""
        return f"{self.version.name} {' and '.join(self.targets)}"

    def start(self, pattern: str) -> None:
        """Starts the process for the tests that the pattern matches."""
        command = [
            sys.executable,
            "-m",
            "vrdma_lab.conformance.job",
            self.version.name,
            ",".join(self.targets),
        ]
        with self.report.with_suffix(".log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, str(self.report), pattern],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def end(self) -> None:
        """Ends the process, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()

    def read(self, known: list[Known]) -> tuple[list[Result], list[str]]:
        """The results, and what else went wrong: objects left behind, and violations.

        Standard error gets the text of each failure whose cause is not known.
        """
        results = []
        report = json.loads(self.report.read_text())
        problems = [f"{self.title}: {line}" for line in report["violations"]]
        for target, lines in report["runs"].items():
            run = Run(self.version.name, target)
            for line in lines:
                if "leaks" in line:
                    problems.append(f"{run}: {line['module']} left behind {line['leaks']}")
                else:
                    results.append(Result.of(run, line))
                    if line["outcome"] == "failed" and not any(
                        each.covers(results[-1].test, run) for each in known
                    ):
                        _say(
                            f"{run}: {results[-1].test} failed\n"
                            f"{line['reason']}\n{line.get('printed', '')}"
                        )
        return results, problems


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _jobs(versions: Sequence[Version], targets: Sequence[str], folder: Path) -> list[_Job]:
    return [
        _Job(version, group, folder / f"{version.name}-{group[0]}.json")
        for version in versions
        for group in groups(targets)
    ]


def _run(jobs: list[_Job], pattern: str, at_once: int) -> list[_Job]:
    """Runs the jobs, some `at_once`; the jobs that failed."""
    waiting, running, failed = list(jobs), list[_Job](), list[_Job]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(waiting.pop(0))
                running[-1].start(pattern)
                _say(f"conformance: {running[-1].title} ...")
            # This waits for the job that ends first.
            pid, status = os.wait()
            for job in list(running):
                if job.process is not None and job.process.pid == pid:
                    job.process.returncode = os.waitstatus_to_exitcode(status)
                    running.remove(job)
                    if status:
                        failed.append(job)
    finally:
        for job in running:
            job.end()
    return failed


def _versions_lines(versions: Sequence[Version]) -> list[str]:
    lines = []
    host = paths.Kernel.find("6.1").release
    for version in versions:
        package = (version.folder / "version").read_text().strip()
        kernel = paths.Kernel.find(version.kernel).release
        lines.append(
            f"{version.name}: python3-pyverbs {package}; "
            f"guests with Linux {kernel}, the RDMA host with {host}"
        )
    return lines


def _table(results: Results) -> str:
    lines = [("", *OUTCOMES)] + [
        (str(run), *(str(results.total(run, each)) for each in OUTCOMES)) for run in results.runs
    ]
    return "".join(
        f"{line[0]:16}" + "".join(f"{cell:>9}" for cell in line[1:]) + "\n" for line in lines
    )


def run_conformance(
    suites: Sequence[str] = tuple(VERSIONS),
    targets: Sequence[str] = tuple(TARGETS),
    pattern: str = "",
    report: Path | None = None,
    writes_document: bool = True,
) -> int:
    """Runs some versions of the tests on some targets and prints the totals; the command's status.

    The document is written if everything has run.
    """
    complete = not pattern and len(suites) == len(VERSIONS) and len(targets) == len(TARGETS)
    versions = [VERSIONS[name] for name in suites]
    document.check(DOCUMENT, COMMAND)
    work = WorkFolder()
    try:
        found, problems = _run_all(_jobs(versions, targets, work.path), pattern)
    finally:
        work.remove()
    results = Results(found, read_known(KNOWN))
    if report is not None:
        report.write_text(json.dumps(results.counts(), indent=2) + "\n")
    if (
        writes_document
        and complete
        and not any(problem.endswith(_DID_NOT_RUN) for problem in problems)
    ):
        document.put(DOCUMENT, COMMAND, document_of(results, _versions_lines(versions)))
    return _judge(results, problems if pattern else results.too_few() + problems)


def _run_all(jobs: list[_Job], pattern: str) -> tuple[list[Result], list[str]]:
    """The results of all jobs, and the problems of the jobs themselves."""
    failed = _run(jobs, pattern, max(1, os.cpu_count() or 1))
    found: list[Result] = []
    problems: list[str] = []
    known = read_known(KNOWN)
    for job in jobs:
        if job in failed:
            log = job.report.with_suffix(".log").read_text(errors="replace")
            _say(f"conformance: {job.title}{_DID_NOT_RUN}:\n{log}")
            problems.append(f"{job.title}{_DID_NOT_RUN}")
            continue
        results, others = job.read(known)
        found += results
        problems += others
    return found, problems


def _judge(results: Results, others: list[str]) -> int:
    """Says all problems and prints the totals."""
    problems = results.problems() + others
    for remark in results.needless():
        _say(f"conformance: remove from {KNOWN.relative_to(paths.SOURCE)}: {remark}")
    for problem in problems:
        _say(f"conformance: {problem}")
    print(_table(results) + f"{len(problems)} problems")
    return 1 if problems else 0


def _run_form() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", default="")
    parser.add_argument("targets", nargs="+", choices=TARGETS)
    words = parser.parse_args()
    # The newest version has the most tests (docs/conformance.md).
    return run_conformance(
        suites=tuple(VERSIONS) if is_long() else tuple(VERSIONS)[-1:],
        targets=words.targets,
        pattern="" if is_long() else words.short,
        writes_document=False,
    )


if __name__ == "__main__":
    sys.exit(run_program("conformance", _run_form))
