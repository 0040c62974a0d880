"""
`python -m benchmarks.onnx_scoreboard`: which cases of ONNX's backend suite pass, on each target.

It writes results/onnx_scoreboard.json and the tables of docs/onnx.md.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.onnx_suite import (
    SEVERAL,
    Outcome,
    SuiteCase,
    run_suite,
    stored_networks,
    suite_cases,
)
from cnndsl.interop.onnx.importers import IMPORTERS
from cnndsl.interop.onnx.light_networks import light_names, seeded_light_network
from cnndsl.interop.onnx_backend import CnndslBackend, ReferenceBackend

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "onnx_scoreboard.json"
PAGE = ROOT / "docs" / "onnx.md"
BACKENDS = {"reference": ReferenceBackend, "cpu": CnndslBackend}
OTHER_NUMBERS = "other numbers than float32 go in or come out, and rows compute float32"
ALLOWED = 1e-4
"""Of a real network's largest output: how far a target may be from ONNX Runtime."""


@dataclass(frozen=True, slots=True)
class Real:
    """A real network with random weights of a seed: each target's largest error."""

    name: str
    errors: dict[str, float]


def run_real(name: str) -> Real:
    """A network of the suite on every target and in ONNX Runtime."""
    from onnxruntime import InferenceSession  # only this part of the scoreboard needs it

    model = seeded_light_network(name, seed=0)
    x = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    errors: dict[str, float] = {}
    for target, backend in BACKENDS.items():
        (y,) = backend.prepare(model).run([x])
        errors[target] = float(np.abs(y - expected).max() / np.abs(expected).max())
    return Real(name, errors)


def reason_class(reason: str) -> str:
    """What a reason says without names and sizes, so that alike ones stand together."""
    if re.search(r"no input holds images|and rows compute float32|other numbers than", reason):
        return OTHER_NUMBERS
    plain = re.sub(r"\w+ '[^']*': |the output '[^']*': ", "", reason)
    return re.sub(r" of (\(|\[)[^)\]]*[)\]]| \(as \[[^\]]*\]\)| '[^']*'", "", plain)


def format_table(outcomes: dict[str, list[Outcome]]) -> str:
    """
    A Markdown table: a row an operator.

    The cases are those in float32; how many have other numbers is a column of its own.
    """
    cases: Counter[str] = Counter()
    others: Counter[str] = Counter()
    passed: dict[str, Counter[str]] = {target: Counter() for target in outcomes}
    skipped: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for target, results in outcomes.items():
        for outcome in results:
            passed[target][outcome.case.row] += outcome.result == "passed"
    for outcome in outcomes["reference"]:
        row, reason = outcome.case.row, reason_class(outcome.reason)
        others[row] += reason == OTHER_NUMBERS
        cases[row] += reason != OTHER_NUMBERS
        if outcome.result != "passed" and reason != OTHER_NUMBERS:
            skipped[row][reason] += 1
    lines = [
        f"| operator | cases | {' | '.join(outcomes)} | skipped, and why | other numbers |",
        f"|---|--:|{'--:|' * len(outcomes)}---|--:|",
    ]
    for row in sorted(cases, key=lambda row: (row == SEVERAL, row)):
        counts = " | ".join(str(passed[target][row]) for target in outcomes)
        why = "; ".join(f"{n} {reason}" for reason, n in skipped[row].most_common())
        lines.append(f"| {row} | {cases[row]} | {counts} | {why} | {others[row] or ''} |")
    sums = " | ".join(f"**{counter.total()}**" for counter in (cases, *passed.values()))
    left = sum(counter.total() for counter in skipped.values())
    lines.append(f"| **all** | {sums} | **{left}** | **{others.total()}** |")
    return "\n".join(lines)


def format_skips(outcomes: Sequence[Outcome]) -> str:
    """Every skipped case by name, those of one reason together."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.result != "passed":
            names[reason_class(outcome.reason)].append(outcome.case.name.removesuffix("_cpu"))
    parts = [
        f"- {reason} ({len(cases)}): {', '.join(f'`{case}`' for case in cases)}"
        for reason, cases in sorted(names.items(), key=lambda item: -len(item[1]))
    ]
    return "\n".join(parts)


def format_unsupported(cases: Sequence[SuiteCase]) -> str:
    """The operators of the other cases that no row can say."""
    absent = {op for case in cases for op in case.operators if op not in IMPORTERS}
    return ", ".join(f"`{op}`" for op in sorted(absent))


def format_real(reals: Sequence[Real]) -> str:
    """A Markdown table: a row a network."""
    lines = ["| network | reference | cpu |", "|---|--:|--:|"]
    for real in reals:
        errors = " | ".join(f"{error:.1e}" for error in real.errors.values())
        lines.append(f"| {real.name.removeprefix('light_')} | {errors} |")
    return "\n".join(lines)


def written(page: str, name: str, text: str) -> str:
    """The page with the text between the marks of that name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def results_data(
    outcomes: dict[str, list[Outcome]], reals: Sequence[Real], others: Sequence[SuiteCase]
) -> dict[str, Any]:
    """All of it as data."""
    return {
        "onnx": onnx.__version__,
        "opset": onnx.defs.onnx_opset_version(),
        "cases": {
            outcome.case.name: {"result": outcome.result, "reason": outcome.reason}
            for outcome in outcomes["reference"]
        },
        "not as on the reference": {
            target: [
                a.case.name
                for a, b in zip(results, outcomes["reference"], strict=True)
                if a.result != b.result
            ]
            for target, results in outcomes.items()
        },
        "real networks": {real.name: real.errors for real in reals},
        "cases with operators that have no row": [case.name for case in others],
    }


def main() -> int:
    """Run all, write the files, print the table. 1 where a case fails or a network is off."""
    cases = suite_cases()
    chosen = [case for case in cases if case.supported]
    others = [case for case in cases if not case.supported]
    outcomes = {target: list(run_suite(b, chosen)) for target, b in BACKENDS.items()}
    reals = [run_real(name) for name in light_names()]
    table, real_table = format_table(outcomes), format_real(reals)
    data = results_data(outcomes, reals, others)
    RESULTS.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    page = PAGE.read_text("utf-8")
    for name, text in (
        ("scoreboard", table),
        ("skips", format_skips(outcomes["reference"])),
        ("unsupported", format_unsupported(others)),
        ("real networks", real_table),
    ):
        page = written(page, name, text)
    PAGE.write_text(page, "utf-8")
    print(table, real_table, sep="\n\n")
    stored = {f"stored on {t}": list(run_suite(b, stored_networks())) for t, b in BACKENDS.items()}
    failed = [
        f"{outcome.case.name} on {target}: {outcome.reason}"
        for target, results in (outcomes | stored).items()
        for outcome in results
        if outcome.result == "failed" or (target in stored and outcome.result != "passed")
    ]
    far = [real.name for real in reals if max(real.errors.values()) > ALLOWED]
    for name in [*failed, *far]:
        print(f"failed: {name}", file=sys.stderr)
    return int(bool(failed or far))


if __name__ == "__main__":
    sys.exit(main())
