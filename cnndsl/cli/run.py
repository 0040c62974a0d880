"""`cnndsl run`: pictures through a network, and its best classes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.cli.arguments import add_format, add_limits, output_file, positive
from cnndsl.cli.feeding import Feed, find_feeds, read_feeds
from cnndsl.cli.findings import as_json
from cnndsl.cli.models import add_machine, add_weights, open_model
from cnndsl.cli.pictures import ARRAY, Sample
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import Diagnostic, InputError
from cnndsl.files import unwritable
from cnndsl.ops.base import Best
from cnndsl.pictures import check_input_row

if TYPE_CHECKING:  # see `open_model`
    from cnndsl.model import Model

IMAGES_A_CALL = 16
ARRAYS = ".npz"
"""The suffix of a file with an array for each output."""

EPILOG = """\
examples:
  cnndsl run lenet5 examples/digits
  cnndsl run lenet5.cnnm seven.png --top 1
  cnndsl run alexnet.cnn --weights alexnet.safetensors photos/ --batch 32 --json
  cnndsl run stereo.cnnm left=a.png right=b.npy
  curl -s https://example.org/seven.png | cnndsl run lenet5 -

Pictures are made to fit as the input row says. An array file holds one image or a batch: of uint8
as pictures, of floats as the network's input itself.

A network with several inputs reads a path for each, in order or as ROW=PATH: a picture, an array,
or a folder, all of as many images.

Of a network with several outputs, the best classes in each that is a list of them are printed;
-o FILE.npz writes all outputs, each as an array called like its row."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A class, its name where the network has labels, and the output's value for it."""

    index: int
    label: str | None
    value: float

    def __str__(self) -> str:
        return f"{self.label or self.index} ({self.value:.4g})"


@dataclass(frozen=True, slots=True)
class Result:
    """The best classes of one image in one of the network's outputs, the best first."""

    sample: Sample
    output: str
    top: tuple[Guess, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` takes."""
    parser.add_argument("model", metavar="MODEL", help="a compiled .cnnm, or a table as in `show`")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="PICTURE",
        help="a picture, a .npy array, a folder of them, or - for a picture on standard input; "
        "ROW=PICTURE where inputs are several",
    )
    add_weights(parser)
    parser.add_argument(
        "--top", metavar="K", type=positive, default=3, help="classes to print (default: 3)"
    )
    parser.add_argument(
        "--batch",
        metavar="N",
        type=positive,
        help="images a call, by what is the fastest for so many (default: 16, as one is computed)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=output_file,
        help="also write the outputs themselves: .npy for one array, .npz for several",
    )
    add_machine(parser)
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Classify every picture; one that cannot be read does not keep the others from it."""
    model = open_model(args, args.batch or 1)
    _check_output(model, args.output)
    files = find_feeds(args.inputs, model)
    size = args.batch or IMAGES_A_CALL
    for row, own in files.items():
        if any(file.suffix.lower() != ARRAY for file in own):
            check_input_row(model.signature.inputs[row])
    findings: list[Diagnostic] = []
    outputs: list[tuple[NDArray[Any], ...]] = []
    results: list[Result] = []
    with terminal.progress("pictures", sum(map(len, files.values()))) as progress:
        for feeds in _batches(read_feeds(files, model, findings, progress.advance), size):
            columns = zip(*(feed.images for feed in feeds), strict=True)
            outputs.append(model.outputs_of(*map(np.stack, columns)))
            for i, feed in enumerate(feeds):
                found = _results(feed.sample, [y[i] for y in outputs[-1]], args.top, model)
                results += found
                if args.format != "json":
                    for result in found:
                        progress.say(_line(result, model))
    if args.output is not None:
        _save(Path(args.output), outputs, model)
    if args.format == "json":
        terminal.json(_as_json(args.model, results, findings))
    else:
        terminal.report(findings, args.format)
    return int(bool(findings))


def _batches(feeds: Iterator[Feed], size: int) -> Iterator[list[Feed]]:
    while batch := list(islice(feeds, size)):
        yield batch


def _check_output(model: Model, output: str | None) -> None:
    """Raise `InputError` where what is asked for cannot say all that comes out."""
    if output is None:
        if not any(len(shape) == 1 for shape in model.outputs.values()):
            shapes = ["x".join(map(str, shape)) for shape in model.outputs.values()]
            raise InputError(
                f"the network's output is {', '.join(shapes)}, no list of classes",
                code="E603",
                fixes=[
                    f"-o FILE{ARRAY if len(shapes) == 1 else ARRAYS} writes the outputs themselves",
                    "cnndsl.detection makes boxes of what a detector's rows say: docs/detection.md",
                ],
            )
    elif len(model.outputs) > 1 and Path(output).suffix != ARRAYS:
        raise InputError(
            f"the network has {len(model.outputs)} outputs, {', '.join(model.outputs)}, and "
            f"{output} is a file for one",
            code="E604",
            fixes=[f"-o {Path(output).with_suffix(ARRAYS)} holds one array for each"],
        )


def _results(
    sample: Sample, outputs: Sequence[NDArray[Any]], count: int, model: Model
) -> list[Result]:
    """The best classes of an image in each output that is a list of classes."""
    results: list[Result] = []
    for name, y in zip(model.outputs, outputs, strict=True):
        if y.ndim == 1:
            labels = model.labels if len(model.labels or ()) == len(y) else None
            best = model.signature.outputs[name].best
            results.append(Result(sample, name, _top(y, count, best, labels)))
    return results


def _top(
    y: NDArray[Any], count: int, best: Best, labels: Sequence[str] | None
) -> tuple[Guess, ...]:
    """The classes in the order of their values, the best first; NaN is the worst."""
    ranked = np.argsort(y if best == "min" else -y, kind="stable")
    order: list[int] = ranked[:count].tolist()
    return tuple(Guess(i, labels[i] if labels else None, float(y[i])) for i in order)


def _line(result: Result, model: Model) -> str:
    output = f" {result.output}:" if len(model.outputs) > 1 else ""
    return f"{result.sample.name}:{output} {', '.join(map(str, result.top))}"


def _save(path: Path, outputs: Sequence[tuple[NDArray[Any], ...]], model: Model) -> None:
    """Write each output of all images as one array."""
    nothing = tuple(np.empty((0, *shape), np.float32) for shape in model.outputs.values())
    whole = [np.concatenate(parts) for parts in zip(nothing, *outputs, strict=True)]
    try:
        with path.open("wb") as file:
            if path.suffix == ARRAYS:
                named: dict[str, Any] = dict(zip(model.outputs, whole, strict=True))
                np.savez(file, **named)
            else:
                np.save(file, whole[0], allow_pickle=False)
    except OSError as error:
        raise unwritable(path, error) from None


def _as_json(model: str, results: list[Result], findings: list[Diagnostic]) -> dict[str, Any]:
    return {
        "model": model,
        "results": [
            {
                "file": str(result.sample.file),
                "index": result.sample.index,
                "output": result.output,
                "top": [
                    {
                        "class": guess.index,
                        "label": guess.label,
                        "value": guess.value if np.isfinite(guess.value) else None,
                    }
                    for guess in result.top
                ],
            }
            for result in results
        ],
        "diagnostics": [as_json(diagnostic) for diagnostic in findings],
    }
