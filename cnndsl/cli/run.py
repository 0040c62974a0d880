"""`cnndsl run`: pictures through a network, and its best classes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.cli.arguments import add_format, add_limits, positive
from cnndsl.cli.findings import as_json
from cnndsl.cli.models import add_machine, add_weights, open_model
from cnndsl.cli.pictures import ARRAY, Sample, find_files, read_samples
from cnndsl.cli.terminal import Progress, Terminal
from cnndsl.errors import Diagnostic, FileError, InputError
from cnndsl.pictures import check_input_row

if TYPE_CHECKING:  # see `open_model`
    from cnndsl.model import Model

EPILOG = """\
examples:
  cnndsl run lenet5 examples/digits
  cnndsl run lenet5.cnnm seven.png --top 1
  cnndsl run alexnet.cnn --weights alexnet.safetensors photos/ --batch 32 --json

Pictures are made to fit as the input row says. An array file holds one image or a batch: of uint8
as pictures, of floats as the network's input itself."""


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
    """The best classes of one image, the best first."""

    sample: Sample
    top: tuple[Guess, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` takes."""
    parser.add_argument("model", metavar="MODEL", help="a compiled .cnnm, or a table as in `show`")
    parser.add_argument(
        "inputs", nargs="+", metavar="PICTURE", help="a picture, a .npy array, or a folder of them"
    )
    add_weights(parser)
    parser.add_argument(
        "--top", metavar="K", type=positive, default=3, help="classes to print (default: 3)"
    )
    parser.add_argument(
        "--batch", metavar="N", type=positive, default=16, help="images a call (default: 16)"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="also write the outputs themselves, as a .npy array"
    )
    add_machine(parser)
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Classify every picture; one that cannot be read does not keep the others from it."""
    model = open_model(args)
    if len(model.output_shape) != 1 and args.output is None:
        raise InputError(
            f"the network's output is {'x'.join(map(str, model.output_shape))}, no list of classes",
            code="E603",
            fixes=["-o FILE.npy writes the outputs themselves"],
        )
    files = find_files(args.inputs)
    if any(file.suffix.lower() != ARRAY for file in files):
        check_input_row(model.input)
    findings: list[Diagnostic] = []
    outputs: list[NDArray[Any]] = []
    results: list[Result] = []
    with terminal.progress("pictures", len(files)) as progress:
        for samples in _batches(_samples(files, model, findings, progress), args.batch):
            y = model(np.stack([sample.image for sample in samples]))
            outputs.append(y)
            if y.ndim != 2:
                continue
            for sample, row in zip(samples, y, strict=True):
                results.append(Result(sample, _best(row, args.top, model)))
                if args.format != "json":
                    guesses = ", ".join(map(str, results[-1].top))
                    progress.say(f"{sample.name}: {guesses}")
    if args.output is not None:
        _save(Path(args.output), outputs, model)
    if args.format == "json":
        terminal.json(_as_json(args.model, results, findings))
    else:
        terminal.report(findings, args.format)
    return int(bool(findings))


def _samples(
    files: Iterable[Path], model: Model, findings: list[Diagnostic], progress: Progress
) -> Iterator[Sample]:
    """The images of all files that can be read, with a finding for each that cannot."""
    for file in files:
        try:
            yield from read_samples(file, model)
        except InputError as error:
            findings += error.diagnostics
        progress.advance(1)


def _batches(samples: Iterator[Sample], size: int) -> Iterator[list[Sample]]:
    while batch := list(islice(samples, size)):
        yield batch


def _best(y: NDArray[Any], count: int, model: Model) -> tuple[Guess, ...]:
    """The classes in the order of their values, the best first; NaN is the worst."""
    ranked = np.argsort(y if model.signature.output.best == "min" else -y, kind="stable")
    order: list[int] = ranked[:count].tolist()
    labels = model.labels
    return tuple(Guess(i, labels[i] if labels else None, float(y[i])) for i in order)


def _save(path: Path, outputs: list[NDArray[Any]], model: Model) -> None:
    """Write the outputs of all images as one array."""
    whole = np.concatenate(outputs) if outputs else np.empty((0, *model.output_shape), np.float32)
    try:
        with path.open("wb") as file:
            np.save(file, whole, allow_pickle=False)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None


def _as_json(model: str, results: list[Result], findings: list[Diagnostic]) -> dict[str, Any]:
    return {
        "model": model,
        "results": [
            {
                "file": str(result.sample.file),
                "index": result.sample.index,
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
