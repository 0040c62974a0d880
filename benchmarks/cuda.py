"""
cnndsl on a GPU beside PyTorch, eager and as a CUDA graph, on the same networks and weights.

    python -m benchmarks.cuda
    python -m benchmarks.cuda --nets alexnet,resnet50 --batches 16 --precisions float32,tf32
    python -m benchmarks.cuda --layers

Needs a GPU, `pip install 'cnndsl[cuda]'`, and PyTorch with CUDA to compare with. All arrays stay on
the device. Every output is compared with PyTorch's in float32 on the CPU before anything is timed.
A call's time is that between two events around a burst of calls; contestants take turns. Caches are
not flushed between calls: what fits into the second level stays there, for all alike. In float32
PyTorch's TF32 is off, in tf32 it is on, in float16 its module and its images are halves. Its images
and filters lie as it likes them best, channels last, and cuDNN measures its algorithms first.
Each case has a process of its own, for a GPU gives no further answer to one in which a kernel has
failed. What is measured is written at once, so that a later failure costs nothing of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.cases import FloatArray, Problem, open_problem
from benchmarks.command import parser_of
from benchmarks.contest import disagreement
from benchmarks.figures import Quartiles
from benchmarks.machine import versions
from cnndsl.api import compile
from cnndsl.backends.cuda.backend import find_device
from cnndsl.cli.arguments import positives
from cnndsl.cli.layers import measure_layers
from cnndsl.errors import CnnError, MissingExtra
from cnndsl.ir.summary import align_columns
from cnndsl.model import Model

NETWORKS = "lenet5,fashion_mnist,alexnet,resnet50"
PACKAGES = ("numba", "numba-cuda", "cuda-bindings", "nvidia-nvvm", "nvidia-nvjitlink", "torch")
RESULTS = Path(__file__).with_name("results") / "cuda.json"
ALLOWED = {"float32": 1e-4, "tf32": 1e-2, "float16": 1e-2}
"""How far an output may be from the CPU's, relative to the largest of them, by precision."""

ROUNDS, WARM_CALLS = 20, 5
BURST_SECONDS = 0.02
DEVICE = "cuda"
OURS, EAGER, GRAPH = "cnndsl", "torch", "torch graph"

Call = Callable[[], Any]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Measured:
    """A network at a batch size and a precision: milliseconds a call, or why there are none."""

    network: str
    batch: int
    precision: str
    milliseconds: dict[str, Quartiles]
    refused: dict[str, str]

    @property
    def ratio(self) -> float | None:
        """PyTorch's better time over ours."""
        peers = [q.median for name, q in self.milliseconds.items() if name != OURS]
        ours = self.milliseconds.get(OURS)
        return min(peers) / ours.median if peers and ours else None


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and report. 0 is fine, 1 that an output was wrong, 2 that there is no GPU."""
    args = _parser().parse_args(argv)
    try:
        device = find_device()
        built_with = torch_versions()
    except CnnError as error:
        print(error, file=sys.stderr)
        return 2
    data: dict[str, Any] = {
        "command": " ".join(["python -m benchmarks.cuda", *(argv or sys.argv[1:])]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": asdict(device.gpu),
        "versions": {**versions(PACKAGES), **built_with},
        "results": [],
        "layers": [],
    }
    measured: list[Measured] = []
    for case in product(args.nets.split(","), args.batches, args.precisions.split(",")):
        measured.append(measured_or_refused(*case))
        data["results"].append({**asdict(measured[-1]), "ratio": measured[-1].ratio})
        _write(data)
    print(f"{device.gpu.name}: milliseconds a call, median; last, the better PyTorch's over ours")
    print(table(measured))
    failed = any(m.refused for m in measured)
    for name in args.nets.split(",") if args.layers else ():
        rows, error = apart(by_layer, name, args.batches)
        if rows is None:
            failed = True
            print(f"{name}, by layer: {reason_of(error)}", file=sys.stderr)
        data["layers"] += rows or []
        _write(data)
    return int(failed)


def torch_versions() -> dict[str, str]:
    """What PyTorch computes with. Raises `MissingExtra` unless there is one that finds a GPU."""
    try:
        import torch
    except ImportError:
        found = "is not installed"
    else:
        if torch.cuda.is_available():
            found = {"PyTorch's CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version()}
            return {name: str(number) for name, number in found.items()}
        found = f"{torch.__version__} finds no GPU"
    raise MissingExtra(
        f"the benchmark compares with PyTorch, which {found}",
        fixes=["pip install torch, as pytorch.org says for this driver"],
    )


def measured_or_refused(name: str, batch: int, precision: str) -> Measured:
    """`measure`, or why it failed: the other cases are measured all the same."""
    measured, error = apart(measure, name, batch, precision)
    if measured is None:
        reason = reason_of(error)
        print(f"{name}, batch {batch}, {precision}: {reason}", file=sys.stderr)
        return Measured(name, batch, precision, {}, {OURS: reason})
    return measured


def apart(
    function: Callable[..., Found], *arguments: Any
) -> tuple[Found | None, BaseException | None]:
    """What a function returns or raises in a process of its own, which may even die of it."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        future = pool.submit(function, *arguments)
        error = future.exception()
        return (None if error else future.result()), error


def reason_of(error: BaseException | None) -> str:
    """The first line of what an error says, or its name."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _write(data: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def measure(name: str, batch: int, precision: str) -> Measured:
    """One network, one batch size, one precision."""
    problem = open_problem(name)
    model = compile(problem.network, problem.weights, target="cuda", precision=precision)
    calls, outputs, refused = contestants(problem, model, batch, precision)
    expected = outputs.pop("expected")
    for who, y in outputs.items():
        # Halves hold no probability below 6e-8, so their logarithms say nothing.
        classifies = problem.classifies and precision != "float16"
        error = disagreement(y, expected, classifies=classifies)
        if not error <= ALLOWED[precision]:
            refused[who] = f"its output is {error:.1e} of the largest off"
            del calls[who]
    times = in_turns(calls)
    milliseconds = {who: Quartiles.of(found) for who, found in times.items()}
    return Measured(name, batch, precision, milliseconds, refused)


def contestants(
    problem: Problem, model: Model, batch: int, precision: str
) -> tuple[dict[str, Call], dict[str, FloatArray], dict[str, str]]:
    """What each is called by, its output and the expected one, and who cannot take part."""
    import torch

    from benchmarks.to_torch import to_torch

    images = problem.images(batch)
    nhwc = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    module = to_torch(problem.network, problem.weights)
    with torch.inference_mode():
        expected = module(torch.from_numpy(images)).numpy()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True
    kind = torch.float16 if precision == "float16" else torch.float32
    module = module.to(DEVICE, kind).to(memory_format=torch.channels_last)
    theirs = torch.from_numpy(images).to(DEVICE, kind, memory_format=torch.channels_last)
    given = nhwc if model.signature.layout == "nhwc" else images
    x = torch.from_numpy(given).to(DEVICE)
    y = torch.empty((batch, *model.output_shape), device=DEVICE)
    stream = torch.cuda.current_stream()

    def ours() -> Any:
        return model.on_device(x, out=y, stream=stream)

    def eager() -> Any:
        with torch.inference_mode():
            return module(theirs)

    ours()
    outputs = {"expected": expected, OURS: y.cpu().numpy(), EAGER: eager().float().cpu().numpy()}
    calls: dict[str, Call] = {OURS: ours, EAGER: eager}
    refused: dict[str, str] = {}
    try:
        graph, result = _captured(eager)
    except RuntimeError as error:
        refused[GRAPH] = str(error).splitlines()[0]
    else:
        graph.replay()
        calls[GRAPH], outputs[GRAPH] = graph.replay, result.float().cpu().numpy()
    return calls, outputs, refused


def _captured(call: Call) -> tuple[Any, Any]:
    """PyTorch's calls as a CUDA graph, after the warm-up that it asks for, and their result."""
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_CALLS):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = call()
    return graph, result


def in_turns(calls: dict[str, Call]) -> dict[str, list[float]]:
    """Milliseconds a call of each, by round; each round begins with another."""
    for call in calls.values():
        for _ in range(WARM_CALLS):
            call()
    counts = {name: _burst_size(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for _ in range(ROUNDS):
        for name in names:
            times[name].append(_between_events(calls[name], counts[name]))
        names = [*names[1:], *names[:1]]
    return times


def _burst_size(call: Call) -> int:
    return max(1, round(BURST_SECONDS * 1e3 / max(_between_events(call, 3), 1e-3)))


def _between_events(call: Call, count: int) -> float:
    """Milliseconds a call, between two events around a burst of them."""
    import torch

    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    first.record()
    for _ in range(count):
        call()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) / count


def by_layer(name: str, batches: Sequence[int]) -> list[dict[str, Any]]:
    """Each step in float32: its time and its percent of the nearer roof."""
    problem = open_problem(name)
    model = compile(problem.network, problem.weights, target="cuda")
    return [
        {"network": name, **asdict(measured)} for measured in measure_layers(model, batches, 0.5)
    ]


def table(measured: Sequence[Measured]) -> str:
    """A line a measurement."""
    names = [OURS, EAGER, GRAPH]
    lines = [["network", "batch", "precision", *names, "ratio", ""]]
    for m in measured:
        times = [m.milliseconds.get(name) for name in names]
        cells = ["-" if time is None else f"{time.median:.4f}" for time in times]
        ratio = "-" if m.ratio is None else f"{m.ratio:.2f}"
        why = "; ".join(f"{who}: {reason}" for who, reason in m.refused.items())
        lines.append([m.network, str(m.batch), m.precision, *cells, ratio, why])
    return "\n".join(align_columns(lines, ["batch", *names, "ratio"]))


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("cuda", __doc__)
    parser.add_argument("--nets", default=NETWORKS, help=f"networks (default: {NETWORKS})")
    parser.add_argument("--batches", type=positives, default=[1, 16, 128], help="1,16,128")
    parser.add_argument("--precisions", default=",".join(ALLOWED), help=",".join(ALLOWED))
    parser.add_argument("--layers", action="store_true", help="time every step as well")
    return parser


if __name__ == "__main__":
    sys.exit(main())
