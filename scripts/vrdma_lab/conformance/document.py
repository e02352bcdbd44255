# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026 the vrdma authors
"""The part of docs/conformance.md that scripts/test conformance writes."""

from __future__ import annotations

from collections.abc import Iterable

from vrdma_lab.conformance.results import MISSING, OUTCOMES, Results, Run


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]], numbers: bool = False) -> str:
    first, *others = headings
    lines = [
        "| " + " | ".join([first, *others]) + " |",
        "|---|" + ("---:|" if numbers else "---|") * len(others),
    ]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _totals(results: Results) -> str:
    rows = [
        [str(run), *(str(results.total(run, outcome)) for outcome in OUTCOMES)]
        for run in results.runs
    ]
    return _table(["", *OUTCOMES], rows, numbers=True)


def _modules(results: Results) -> str:
    cells: dict[str, dict[str, str]] = {}
    for row in results.counts():
        cell = " / ".join(str(row[outcome]) for outcome in OUTCOMES)
        cells.setdefault(str(row["module"]), {})[f"{row['suite']} {row['target']}"] = cell
    rows = [
        [module, *(cells[module].get(str(run), "–") for run in results.runs)]
        for module in sorted(cells)
    ]
    return _table(["module", *map(str, results.runs)], rows, numbers=True)


def _why(results: Results, test: str, run: Run) -> str:
    """The known cause, or else the reason that the test gave."""
    return results.cause(test, run) or results.reason(test, run)


def _failures_and_losses(results: Results) -> str:
    """The tests that fail somewhere, or pass natively and not elsewhere, by their causes."""
    grouped: dict[tuple[str, str, tuple[Run, ...]], list[str]] = {}
    for test in results.tests():
        reasons: dict[tuple[str, str], list[Run]] = {}
        for run in results.runs:
            outcome = results.outcome(test, run)
            if outcome == "failed" or results.lost(test, run):
                reasons.setdefault((outcome, _why(results, test, run)), []).append(run)
        for (outcome, why), runs in reasons.items():
            grouped.setdefault((outcome, why, tuple(runs)), []).append(test)
    rows = [
        [_names(tests), ", ".join(map(str, runs)), outcome, why]
        for (outcome, why, runs), tests in grouped.items()
    ]
    return _table(["test", "where", "", "cause"], rows) if rows else "None.\n"


def _gains(results: Results) -> str:
    """The tests that pass in guests and not natively."""
    grouped: dict[tuple[str, str, tuple[Run, ...]], list[str]] = {}
    for test in results.tests():
        for native in (run for run in results.runs if run.on.side == "native"):
            others = tuple(
                run
                for run in results.runs
                if results.native_of(run) == native
                and results.outcome(test, run) == "passed"
                and results.outcome(test, native) not in ("passed", MISSING)
            )
            if others:
                key = (results.outcome(test, native), _why(results, test, native), others)
                grouped.setdefault(key, []).append(test)
    rows = [
        [_names(tests), ", ".join(map(str, runs)), f"{outcome}: {why}"]
        for (outcome, why, runs), tests in grouped.items()
    ]
    return _table(["test", "passes", "natively"], rows) if rows else "None.\n"


def _names(tests: list[str]) -> str:
    return ", ".join(f"`{test}`" for test in tests)


def _skips(results: Results) -> str:
    """The skipped tests by module and reason.

    The runs are named if the test is not skipped in every run that has it.
    """
    reasons: dict[str, dict[tuple[str, str], list[str]]] = {}
    sizes: dict[str, int] = {}
    for test in results.tests():
        module = test.split(".")[0]
        sizes[module] = sizes.get(module, 0) + 1
        outcomes = {run: results.outcome(test, run) for run in results.runs}
        said: dict[str, list[Run]] = {}
        for run in results.runs:
            if outcomes[run] == "skipped":
                said.setdefault(results.reason(test, run), []).append(run)
        for reason, runs in said.items():
            everywhere = all(outcome == MISSING or run in runs for run, outcome in outcomes.items())
            where = "" if everywhere else f" ({', '.join(map(str, runs))})"
            reasons.setdefault(module, {}).setdefault((reason, where), []).append(test)
    text = ""
    for module in sorted(reasons):
        text += f"- **{module}**\n"
        for (reason, where), tests in reasons[module].items():
            names = ", ".join(f"`{test.removeprefix(module + '.')}`" for test in tests)
            which = f"all {len(tests)}" if len(tests) == sizes[module] else names
            text += f"  - {reason}{where}: {which}\n"
    return text or "Nothing.\n"


def document(results: Results, versions: Iterable[str]) -> str:
    """The text; `versions` are lines about what was tested."""
    parts = [
        "".join(f"- {line}\n" for line in versions),
        _totals(results),
        "## Modules\n\nPassed / skipped / failed.\n\n" + _modules(results),
        "## Failed, or passed natively only\n\n" + _failures_and_losses(results),
        "## Passed in guests only\n\n" + _gains(results),
        "## Skipped, with the reason that the test gives\n\n" + _skips(results),
    ]
    return "\n".join(parts)
