"""
How soon a network answers: from a process's start to the first result, and what takes how long.

    python -m benchmarks.start
    python -m benchmarks.start --nets alexnet,resnet50 --runs 5

For each network, loaded from its compiled file: with an empty cache (cold), with the kernels that
another network has left there (second), with all of its own kernels and its plan (again), which
leaves its program there, and with that (cached). Each run is a process of its own, and has a cache
of its own; Python finds its modules compiled, as in an installed package. Close everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.command import parser_of
from cnndsl.api import compile
from cnndsl.cli.arguments import positive

NETWORKS = ("lenet5", "alexnet", "resnet50")
# A network with the same kinds of rows, whose kernels so are the same ones.
NEIGHBOURS = {"lenet5": "lenet5_1998", "alexnet": "zfnet", "resnet50": "resnet101"}
STATES = ("cold", "second", "again", "cached")

# What a process does that loads a model and calls it once. Its own clock starts behind the
# interpreter's start, which the caller's clock knows.
_CHILD = """
import json, sys, time
begin = time.time()
import numpy as np
shared = time.time()
import cnndsl
from cnndsl import loading
imported = time.time()
took = []
def timed(function):
    def call(*arguments):
        start = time.time()
        try:
            return function(*arguments)
        finally:
            took.append(time.time() - start)
    return call
loading.open_artifact = timed(loading.open_artifact)
loading.ContentCheck.finish = timed(loading.ContentCheck.finish)
model = cnndsl.load(sys.argv[1])
loaded = time.time()
model(np.zeros((1, *model.input_shape), np.float32))
end = time.time()
print(json.dumps({"begin": begin, "end": end, "numpy": shared - begin, "imports": imported - shared,
                  "reading": sum(took), "ready": loaded - imported - sum(took),
                  "call": end - loaded}))
"""


@dataclass(frozen=True, slots=True)
class Start:
    """
    Seconds from a process's start to a model's first result, and their parts.

    `python` is the interpreter's own start, `numpy` NumPy's import, and `imports` are ours.
    `reading` is what is waited for the weights and their hash, part of which is computed beside the
    rest; `ready` is all else until the model can be called, and `call` the first call.
    """

    total: float
    python: float
    numpy: float
    imports: float
    reading: float
    ready: float
    call: float


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = _parser().parse_args(argv)
    print(f"{'network':10} {'state':7}" + "".join(f"{name:>18}" for name in Start.__slots__))
    with TemporaryDirectory(prefix="cnndsl-start-") as folder:
        for name in args.nets:
            for state, starts in measure(name, args.runs, Path(folder)).items():
                cells = (
                    _spread([getattr(start, part) for start in starts]) for part in Start.__slots__
                )
                print(f"{name:10} {state:7}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
    print(f"seconds: median of {args.runs} processes (least-most)")


def measure(name: str, runs: int, folder: Path) -> dict[str, list[Start]]:
    """The starts of a network in each of `STATES`."""
    network, neighbour = (_compiled(spec, folder) for spec in (name, NEIGHBOURS.get(name, name)))
    found: dict[str, list[Start]] = {state: [] for state in STATES}
    start(network, folder / f"{name}-unmeasured")  # compiles Python's modules
    for run in range(runs):
        own, shared = folder / f"{name}-{run}", folder / f"{name}-shared-{run}"
        for state in ("cold", "again", "cached"):
            found[state].append(start(network, own))
        start(neighbour, shared)
        found["second"].append(start(network, shared))
    return found


def start(model: Path, cache: Path) -> Start:
    """Load a model in a new process with that cache, and call it once."""
    environment = {
        **os.environ,
        "CNNDSL_CACHE_DIR": str(cache),
        "PYTHONPYCACHEPREFIX": str(model.parent / "modules"),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    begin = time.time()
    run = subprocess.run(
        [sys.executable, "-c", _CHILD, str(model)],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    told = json.loads(run.stdout)
    start, end = told.pop("begin"), told.pop("end")
    return Start(end - begin, start - begin, **told)


def _compiled(spec: str, folder: Path) -> Path:
    """The compiled file of a spec with random weights."""
    path = folder / f"{spec}.cnnm"
    if not path.exists():
        compile(spec, seed=0).save(path)
    return path


def _spread(seconds: Sequence[float]) -> str:
    """
    The median, the least and the most.

    >>> _spread([0.5, 0.25, 1.0])
    '0.50 (0.25-1.00)'
    """
    return f"{median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})"


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("start", __doc__)
    parser.add_argument(
        "--nets",
        metavar="NAME,...",
        type=lambda text: text.split(","),
        default=list(NETWORKS),
        help=f"shipped specs (default: {','.join(NETWORKS)})",
    )
    parser.add_argument("--runs", metavar="N", type=positive, default=3, help="default: 3")
    return parser


if __name__ == "__main__":
    main()
