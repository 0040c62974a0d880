"""One case after the other: open everybody, compare outputs, then take the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.cases import Case, FloatArray, Problem, open_problem
from benchmarks.contest import ALLOWED, LEAST_ROUNDS, Call, disagreement, interleaved
from benchmarks.figures import Quartiles, Ratio, best_ratio, medians_of_runs
from benchmarks.peers import Exports, Peer
from cnndsl.api import compile
from cnndsl.errors import CnnError

OURS = "cnndsl"

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """
    What came of a case.

    `rounds` are a call's seconds for each contestant, round by round. `differences` are the largest
    of each peer's outputs from ours, relative to the largest output; `refused` says why a peer was
    not timed. `runs` are the numbers of rounds of each run, where there were several.
    """

    case: Case
    rounds: dict[str, list[float]]
    differences: dict[str, float] = field(default_factory=dict[str, float])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    runs: tuple[int, ...] = ()

    @staticmethod
    def of_runs(results: Sequence[Result]) -> Result:
        """
        The results of the same case in several runs as one; `runs` says how many rounds each had.

        A contestant that was refused once is refused.
        """
        first = results[0]
        refused = {name: why for result in results for name, why in result.refused.items()}
        rounds = {
            name: [time for result in results for time in result.rounds[name]]
            for name in first.rounds
            if name not in refused
        }
        differences = {
            name: max(result.differences.get(name, 0.0) for result in results)
            for name in first.differences
        }
        runs = tuple(len(result.rounds[OURS]) for result in results)
        return Result(first.case, rounds, differences, refused, runs)

    @property
    def milliseconds(self) -> dict[str, Quartiles]:
        """Each contestant's quartiles of a call's milliseconds."""
        return {name: Quartiles.of(times).scaled(1e3) for name, times in self.rounds.items()}

    @property
    def ratio(self) -> Ratio | None:
        """The best peer's time over ours."""
        return best_ratio(self.rounds, OURS)

    @property
    def ratios(self) -> list[float]:
        """The best peer's time over ours in each run; the best peer is that of all runs."""
        if self.ratio is None:
            return []
        kept = {name: self.rounds[name] for name in (OURS, self.ratio.best)}
        return medians_of_runs(kept, OURS, self.runs or (len(kept[OURS]),))


def run_cases(
    cases: Sequence[Case], peers: Sequence[Peer], seconds: float, note: Note
) -> Iterator[Result]:
    """
    The results of the cases, in order. A contestant gets about so many seconds in each.

    Neighbours of the same network share what is made of it. Raises `CnnError` where a network
    cannot be read or compiled by us.
    """
    for (name, side), neighbours in groupby(cases, key=lambda case: (case.network, case.side)):
        problem = open_problem(name, side)
        with TemporaryDirectory(prefix="cnndsl-bench-") as folder:
            exports = Exports(problem, Path(folder))
            for case in neighbours:
                yield run_case(case, problem, exports, peers, seconds, note)


def run_case(
    case: Case,
    problem: Problem,
    exports: Exports,
    peers: Sequence[Peer],
    seconds: float,
    note: Note,
    least_rounds: int = LEAST_ROUNDS,
) -> Result:
    """Measure one case. Peers that fail or disagree are noted and left out."""
    images = problem.images(case.batch)
    calls = {OURS: open_ours(problem, images, case.threads)}
    result = Result(case, {})
    if len(problem.network.ir.outputs) > 1:
        note(f"{describe(case)}: peers are compared by one output, and it has several")
        peers = ()
    for peer in peers:
        try:
            call = peer.open(exports, images, case.threads)
            y = call()
        except Exception as error:  # whatever a runtime raises, the others can still be compared
            # Of our own errors without the place: where a table lies is nobody's business.
            said = error.diagnostics[0].message if isinstance(error, CnnError) else str(error)
            reason = f"{type(error).__name__}: {said.partition(chr(10))[0]}"
            result.refused[peer.name] = reason
            note(f"{describe(case)}: {peer.name} cannot run it: {reason}")
            continue
        ours = channels_first(calls[OURS](), problem)
        difference = disagreement(y, ours, classifies=problem.classifies)
        result.differences[peer.name] = difference
        if difference <= ALLOWED:
            calls[peer.name] = call
        else:
            reason = f"its output is {difference:.1e} from ours; allowed are {ALLOWED:.0e}"
            result.refused[peer.name] = reason
            note(f"{describe(case)}: {peer.name} is not timed: {reason}")
    result.rounds.update(interleaved(calls, seconds, least_rounds))
    return result


def open_ours(problem: Problem, images: FloatArray, threads: int) -> Call:
    """Our own contestant, which reads the images in the layout that its table says."""
    model = compile(problem.network, problem.weights, threads=threads, batch=len(images))
    nhwc = problem.network.input.layout == "nhwc"
    x = np.ascontiguousarray(images.transpose(0, 2, 3, 1)) if nhwc else images
    return lambda: model(x)


def channels_first(y: FloatArray, problem: Problem) -> FloatArray:
    """Our output as the others have it."""
    is_image = y.ndim == 4 and problem.network.input.layout == "nhwc"
    return y.transpose(0, 3, 1, 2) if is_image else y


def describe(case: Case) -> str:
    """
    A case in words.

    >>> describe(Case("alexnet", 16, 2))
    'alexnet, batch 16, threads 2'
    """
    side = f", side {case.side}" if case.side is not None else ""
    return f"{case.network}{side}, batch {case.batch}, threads {case.threads}"


def as_data(result: Result) -> dict[str, Any]:
    """The result for a JSON file."""
    ratio = result.ratio
    case = result.case
    return {
        "network": case.network,
        "side": case.side,
        "batch": case.batch,
        "threads": case.threads,
        "milliseconds": {
            name: {
                "median": quartiles.median,
                "quartiles": [quartiles.low, quartiles.high],
                "rounds": [round(1e3 * time, 6) for time in result.rounds[name]],
            }
            for name, quartiles in result.milliseconds.items()
        },
        "best_peer": ratio.best if ratio else None,
        "ratio": (
            {
                "median": ratio.quartiles.median,
                "quartiles": [ratio.quartiles.low, ratio.quartiles.high],
                "runs": result.ratios,
            }
            if ratio
            else None
        ),
        "differences": result.differences,
        "refused": result.refused,
    }
