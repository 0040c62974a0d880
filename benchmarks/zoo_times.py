"""How long one image takes on one thread, beside the fastest runtime that computes the same."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cnndsl
from benchmarks.cases import Case, Problem
from benchmarks.contest import LEAST_ROUNDS
from benchmarks.machine import PACKAGES, Machine, load_average, versions
from benchmarks.peers import PEERS, Exports
from benchmarks.report import short
from benchmarks.runner import OURS, Result, as_data, run_case

FILE = Path(__file__).with_name("results") / "zoo.json"
_LARGE_MACS, _LARGE_ROUNDS = 20e9, 2
"""From so many products on, a call takes seconds, and so many rounds must do."""


@dataclass(frozen=True, slots=True)
class Time:
    """Milliseconds of an image: ours, and of the fastest peer, if any computes the same."""

    ours: float
    peer: str = ""
    theirs: float = 0.0

    @property
    def cells(self) -> list[str]:
        """
        The table's last columns.

        >>> Time(1.234, "ncnn", 2.5).cells, Time(0.5).cells
        (['1.23 ms', '2.50 ms', 'ncnn'], ['0.500 ms', '', ''])
        """
        theirs = f"{short(self.theirs)} ms" if self.peer else ""
        return [f"{short(self.ours)} ms", theirs, self.peer]


def measure_times(spec: str, seconds: float) -> Time:
    """
    Compare outputs, then call everyone in turns, as `benchmarks.cpu` does; keep what was found.

    A contestant gets about so many seconds. What a spec's numbers were is kept in `FILE`.
    """
    problem = Problem(cnndsl.parse(spec))
    peers = [peer for peer in PEERS if not peer.missing]
    before = load_average()
    with TemporaryDirectory(prefix="cnndsl-zoo-") as folder:
        result = run_case(
            Case(spec, batch=1, threads=1),
            problem,
            Exports(problem, Path(folder)),
            peers,
            seconds,
            lambda words: print(words, file=sys.stderr, flush=True),
            least_rounds=_LARGE_ROUNDS if problem.network.macs > _LARGE_MACS else LEAST_ROUNDS,
        )
    _keep(spec, result, before)
    times = result.milliseconds
    if result.ratio is None:
        return Time(times[OURS].median)
    return Time(times[OURS].median, result.ratio.best, times[result.ratio.best].median)


def _keep(spec: str, result: Result, load_before: tuple[float, ...]) -> None:
    """Put a spec's numbers in the file, in the place of older ones."""
    kept: dict[str, Any] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    kept[spec] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(Machine.here()),
        "versions": versions((*PACKAGES, *(peer.name for peer in PEERS))),
        "load_before": load_before,
        "load_after": load_average(),
        **as_data(result),
    }
    FILE.write_text(f"{json.dumps(dict(sorted(kept.items())), indent=1)}\n", "utf-8")
