"""
The same measurements in several processes, one after the other.

Where memory lies, what the system does beside, how warm the processor is: a process may be lucky
from its start to its end. So each run is a process of its own, and what it says counts once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cases import Case, open_problem
from benchmarks.peers import PEERS, Peer
from benchmarks.runner import Note, Result, describe, run_cases
from cnndsl.errors import CnnError

ROOT = Path(__file__).parent.parent


def measured(
    cases: Sequence[Case], peers: Sequence[Peer], seconds: float, runs: int, note: Note
) -> list[Result]:
    """
    The results of all cases: of one run in this process, or of several in processes of their own.

    Raises `CnnError` where a network cannot be read or compiled by us, or a process fails.
    """
    if runs == 1:
        return list(_told(run_cases(cases, peers, seconds, note), note))
    for name, side in {(case.network, case.side): None for case in cases}:
        open_problem(name, side)  # before anything is measured, that all of them are there
    found: list[list[Result]] = []
    for number in range(runs):
        note(f"run {number + 1} of {runs}")
        found.append(_in_a_process(cases, peers, seconds))
    return [Result.of_runs(results) for results in zip(*found, strict=True)]


def _told(results: Iterator[Result], note: Note) -> Iterator[Result]:
    """The results, each told of as it comes."""
    for result in results:
        ratio = result.ratio
        told = f": {ratio.best} takes {ratio.quartiles.median:.2f}x as long" if ratio else ""
        note(f"{describe(result.case)}{told}")
        yield result


def _in_a_process(cases: Sequence[Case], peers: Sequence[Peer], seconds: float) -> list[Result]:
    with TemporaryDirectory(prefix="cnndsl-bench-") as folder:
        wanted, found = Path(folder) / "cases.json", Path(folder) / "results.json"
        names = [peer.name for peer in peers]
        content = {"cases": [asdict(case) for case in cases], "peers": names, "seconds": seconds}
        wanted.write_text(json.dumps(content), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.repeated", str(wanted), str(found)]
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path}
        status = subprocess.run(command, check=False, env=environment).returncode
        if status:
            raise CnnError(f"a run has failed: exit status {status}")
        read: list[dict[str, Any]] = json.loads(found.read_text(encoding="utf-8"))
    return [Result(**{**fields, "case": Case(**fields["case"])}) for fields in read]


def _main(wanted: Path, found: Path) -> None:
    """Measure what one file asks for, and write the results to the other."""
    asked = json.loads(wanted.read_text(encoding="utf-8"))
    cases = [Case(**fields) for fields in asked["cases"]]
    peers = [peer for peer in PEERS if peer.name in asked["peers"]]
    results = measured(
        cases, peers, asked["seconds"], 1, lambda words: print(words, file=sys.stderr)
    )
    found.write_text(json.dumps([asdict(result) for result in results]), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))
