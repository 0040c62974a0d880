"""`cnndsl bench`: how fast a network runs here."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from time import perf_counter

import numpy as np

from cnndsl.cli.arguments import COMPILED, add_format, add_limits, positives
from cnndsl.cli.layers import LayerTimes, measure_layers, print_layers
from cnndsl.cli.models import add_machine, add_weights, open_model
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import LimitError
from cnndsl.limits import format_bytes
from cnndsl.model import Model

EPILOG = """\
examples:
  cnndsl bench alexnet
  cnndsl bench lenet5.cnnm --batch 1,16 --threads 1,2 --json
  cnndsl bench alexnet --layers --threads 1

For each number of images a call, the algorithms are those that are the fastest for so many.
Images and, where none are named, weights are random. The median is of the calls that fit into
--seconds, at least five; the spread is from their first quartile to their third. A
multiply-accumulate counts as two operations, and nothing else is counted.

--layers times each step as part of whole runs. Its GB/s count weights, operands and result once.
The roof is what the same threads reach with nothing but multiply-adds, and with nothing but
reading memory; a step is compared with the nearer of the two. More than 100% is no mistake:
Winograd's algorithm needs fewer multiplications than are counted, and caches are faster than
memory."""

_LEAST_CALLS = 5
_HEADINGS = ("batch", "threads", "calls", "median ms", "spread ms", "images/s", "GFLOP/s")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Calls of one batch size on one number of threads."""

    batch: int
    threads: int
    calls: int
    median_ms: float
    spread_ms: float
    images_per_second: float
    gflops: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells under `_HEADINGS`."""
        return (
            str(self.batch),
            str(self.threads),
            str(self.calls),
            f"{self.median_ms:.3f}",
            f"{self.spread_ms:.3f}",
            f"{self.images_per_second:.1f}",
            f"{self.gflops:.1f}",
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `bench` takes."""
    parser.add_argument("model", metavar="MODEL", help="a compiled .cnnm, or a table as in `show`")
    add_weights(parser)
    parser.add_argument(
        "--batch", metavar="N,...", type=positives, default=[1], help="images a call (default: 1)"
    )
    parser.add_argument(
        "--seconds", type=seconds, default=1.0, help="how long to measure each (default: 1)"
    )
    parser.add_argument(
        "--layers", action="store_true", help="time each step, against the machine's roof"
    )
    add_machine(parser, several=True)
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Measure every batch size on every number of threads."""
    if args.weights is None and args.seed is None and not args.model.endswith(COMPILED):
        args.seed = 0
    if args.layers:
        layers = [
            times
            for model, batch in _models(args)
            for times in measure_layers(model, [batch], args.seconds)
        ]
        if args.format == "json":
            _write_json(args, terminal, layers)
        else:
            print_layers(layers, terminal)
        return 0
    whole = [measure(model, batch, args.seconds) for model, batch in _models(args)]
    if args.format == "json":
        _write_json(args, terminal, whole)
    else:
        terminal.table(_HEADINGS, [m.cells for m in whole], _HEADINGS)
    return 0


def _write_json(
    args: argparse.Namespace, terminal: Terminal, found: Sequence[Measurement | LayerTimes]
) -> None:
    data = [asdict(measurement) for measurement in found]
    terminal.json({"model": args.model, "target": args.target, "measurements": data})


def _models(args: argparse.Namespace) -> Iterator[tuple[Model, int]]:
    """The model for each number of threads and batch size, and that size."""
    batches: list[int] = args.batch
    for threads, batch in product(args.threads or [None], batches):
        args.threads = threads
        model = open_model(args, batch)
        _check_memory(model, batch, args.max_memory)
        yield model, batch


def _check_memory(model: Model, batch: int, limit: int) -> None:
    """Raise `LimitError` where a batch's images and activations need more than the limit."""
    summary = model.network.summary()
    inputs = model.network.signature.inputs
    given = sum(row.activation_bytes for row in summary.rows if row.name in inputs)
    needed = batch * (given + summary.peak_bytes)
    if needed > limit:
        raise LimitError(
            f"a batch of {batch} needs {format_bytes(needed)}, and the limit is "
            f"{format_bytes(limit)}",
            fixes=["a smaller batch, or a larger --max-memory"],
        )


def measure(model: Model, batch: int, seconds: float) -> Measurement:
    """Call a model on random images until the time is over."""
    rng = np.random.default_rng(0)
    images = [rng.random((batch, *x), np.float32) for x in model.inputs.values()]
    times = np.array(_times(lambda: model(*images), seconds))
    low, median, high = np.quantile(times, [0.25, 0.5, 0.75])
    return Measurement(
        batch=batch,
        threads=model.threads,
        calls=len(times),
        median_ms=float(median * 1e3),
        spread_ms=float((high - low) * 1e3),
        images_per_second=float(batch / median),
        gflops=float(2 * model.network.macs * batch / median / 1e9),
    )


def _times(call: Callable[[], object], seconds: float) -> list[float]:
    """How long each call took, in seconds. The first, which makes what is kept, is not counted."""
    call()
    times: list[float] = []
    end = perf_counter() + seconds
    while len(times) < _LEAST_CALLS or perf_counter() < end:
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return times


def seconds(text: str) -> float:
    """A time up to an hour, as argparse reads arguments."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 3600")
    return value
