"""
cnndsl beside the runtimes that are installed here, on the same networks with the same weights.

    python -m benchmarks.cpu
    python -m benchmarks.cpu --nets alexnet,my.cnn --batches 1,16 --threads 1,2 --only ncnn
    python -m benchmarks.cpu --scaling

Nothing is installed; `pip install 'cnndsl[peers]'` brings the peers. All outputs are compared
before anything is timed, and a peer that computes something else is not timed. Calls are
interleaved round by round in one process, and there are several such processes, one after the
other. Close everything else: what the table says of a busy machine is worth little.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bars import draw_bars
from benchmarks.cases import Case
from benchmarks.command import parser_of
from benchmarks.lines import Sweep, draw_lines
from benchmarks.machine import PACKAGES, Machine, load_average, versions
from benchmarks.peers import PEERS, Peer
from benchmarks.repeated import measured
from benchmarks.report import Circumstances, format_table, results_data, write_json
from benchmarks.runner import Result
from benchmarks.scaling import Plan, plan_sweeps
from cnndsl.cli.arguments import positive, positives
from cnndsl.cli.bench import seconds
from cnndsl.errors import CnnError
from cnndsl.targets import thread_count

NETWORKS = ("lenet5", "fashion_mnist", "alexnet", "vgg16", "resnet50")
RESULTS = Path(__file__).with_name("results")
_NAMES = [peer.name for peer in PEERS]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report. 0 is fine, 1 that someone's output was not ours, 2 a wrong command."""
    args = _parser().parse_args(argv)
    command = " ".join(["python -m benchmarks.cpu", *(sys.argv[1:] if argv is None else argv)])
    before = load_average()
    peers = _available(args.only)
    try:
        if args.scaling:
            plans = plan_sweeps(args.nets or ["alexnet"], args.threads)
            sweeps = [
                Sweep(plan.title, plan.along, plan.values, tuple(found))
                for plan, found in zip(plans, _of_plans(plans, peers, args), strict=True)
            ]
            results = [result for sweep in sweeps for result in sweep.results]
        else:
            cases = [
                Case(name, batch, threads)
                for name in args.nets or NETWORKS
                for batch in args.batches
                for threads in args.threads
            ]
            sweeps, results = [], measured(cases, peers, args.seconds, args.runs, _note)
    except CnnError as error:
        print(error, file=sys.stderr)
        return 2
    circumstances = Circumstances(
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=args.seconds,
        runs=args.runs,
        machine=Machine.here(),
        versions=versions((*PACKAGES, *_NAMES)),
        load_before=before,
        load_after=load_average(),
    )
    print(format_table(results))
    print("milliseconds a call: median (quartiles); last, the best peer's time over ours")
    if args.runs > 1:
        print(f"and of {args.runs} runs, each in a process of its own: median (least-most)")
    _write(args.folder, circumstances, sweeps, results)
    return 1 if any(result.refused for result in results) else 0


def _write(
    folder: Path, circumstances: Circumstances, sweeps: list[Sweep], results: list[Result]
) -> None:
    """Write the data and, where there is something to compare, the picture."""
    machine = circumstances.machine
    note = f"{machine.processor} ({machine.architecture}), float32, {circumstances.date[:10]}"
    if sweeps:
        name, picture = "scaling", draw_lines(sweeps, note)
        found = {
            "sweeps": [
                {"title": s.title, "along": s.along, "results": results_data(s.results)}
                for s in sweeps
            ]
        }
    else:
        name, found = "cpu", {"results": results_data(results)}
        picture = draw_bars(results, note) if any(result.ratio for result in results) else ""
    write_json(folder / f"{name}.json", circumstances, found)
    if picture:
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")
    print(f"written: {folder / name}.json" + (f", {folder / name}.svg" if picture else ""))


def _of_plans(
    plans: Sequence[Plan], peers: Sequence[Peer], args: argparse.Namespace
) -> list[list[Result]]:
    """The results of each plan's cases; a run goes through all plans."""
    cases = [case for plan in plans for case in plan.cases]
    found = iter(measured(cases, peers, args.seconds, args.runs, _note))
    return [[next(found) for _ in plan.cases] for plan in plans]


def _available(only: Sequence[str] | None) -> list[Peer]:
    """The peers that can run here, of those that were asked for; of the others it is said why."""
    peers = [peer for peer in PEERS if only is None or peer.name in only]
    for peer in peers:
        if peer.missing:
            _note(f"{peer.name} does not take part: {', '.join(peer.missing)} not installed")
    return [peer for peer in peers if not peer.missing]


def _note(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("cpu", __doc__)
    cores = thread_count(None)
    parser.add_argument(
        "--nets",
        metavar="NAME,...",
        type=_words,
        help=f"names or .cnn files (default: {','.join(NETWORKS)}; with --scaling: alexnet)",
    )
    parser.add_argument(
        "--batches", metavar="N,...", type=positives, default=[1, 16], help="default: 1,16"
    )
    parser.add_argument(
        "--threads",
        metavar="N,...",
        type=positives,
        default=[1, 2] if cores > 1 else [1],
        help="default: 1,2",
    )
    parser.add_argument(
        "--seconds",
        type=seconds,
        default=3.0,
        help="how long to call each contestant in each case (default: 3); at least five rounds",
    )
    parser.add_argument(
        "--runs",
        metavar="N",
        type=positive,
        default=3,
        help="how often to do all that, each time in a process of its own (default: 3)",
    )
    parser.add_argument(
        "--only", metavar="PEER,...", type=_peers, help=f"default: {','.join(_NAMES)}"
    )
    parser.add_argument(
        "--scaling",
        action="store_true",
        help="how time grows with the batch, the image's side and threads",
    )
    parser.add_argument(
        "--folder", type=Path, default=RESULTS, help="where to write (default: benchmarks/results)"
    )
    return parser


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _peers(text: str) -> list[str]:
    names = _words(text)
    for name in names:
        if name not in _NAMES:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(_NAMES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
