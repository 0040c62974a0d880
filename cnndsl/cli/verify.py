"""`cnndsl verify`: how far a compiled network is from what it should compute."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np

from cnndsl.cli.arguments import COMPILED, add_format, add_limits, positive
from cnndsl.cli.expectations import (
    ONNX,
    REFERENCE,
    TORCH,
    Expectation,
    Inputs,
    compilation_of,
    expectation,
)
from cnndsl.cli.feeding import find_feeds, read_feeds
from cnndsl.cli.models import add_machine, add_weights, open_model, shipped_weights
from cnndsl.cli.narrowing import IMAGES, Change, narrowing_change
from cnndsl.cli.row_errors import output_errors, row_errors
from cnndsl.cli.terminal import Terminal
from cnndsl.cli.verification import Verification, narrowed
from cnndsl.errors import Diagnostic, InputError, LimitError
from cnndsl.limits import format_bytes
from cnndsl.model import Model
from cnndsl.types import DenseWeights, Precision

EPILOG = f"""\
examples:
  cnndsl verify lenet5
  cnndsl verify alexnet --numerics strict --batch 4
  cnndsl verify alexnet --dense-weights int8
  cnndsl verify alexnet.cnn --weights alexnet.safetensors --input photos/ --json
  cnndsl verify resnet50 --weights resnet50.safetensors --against resnet50.onnx

The reference evaluates the operators' definitions in float64, torch has PyTorch compute each of
them. An error is the largest difference from that over its largest absolute value, in that row; it
includes what the rows before brought. Each row's values are read from a network that ends with it
and is compiled like the whole one. The output is compared with that of the table as it is written,
before any rewriting.

Of an ONNX model, the rows that compute the same from the same are found by structure, whatever they
are called; its outputs are computed by ONNX Runtime where that is installed, else by onnx itself.

With --dense-weights or --precision other than float32 it is also said what that changes: the
output, and the best class of the images given or of {IMAGES} random ones.

Without weights, those shipped with the spec, or random ones of seed 0. Without --input, images of
standard normal numbers. Exit status 1 where the output's error is beyond --tolerance."""

TOLERANCES: Mapping[DenseWeights | Precision, float] = {
    "float32": 1e-4,
    "tf32": 1e-2,
    "float16": 1e-2,
    "bfloat16": 5e-2,
    "int8": 5e-2,
}
"""The largest error of the output that is fine unless told otherwise, by what factors keep."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `verify` takes."""
    parser.add_argument("model", metavar="SPEC", help="a table as in `show`, or a compiled .cnnm")
    add_weights(parser)
    parser.add_argument(
        "--against",
        metavar="WHAT",
        type=against,
        default=REFERENCE,
        help=f"what is right: {REFERENCE} (the default), {TORCH}, or an {ONNX} file",
    )
    images = parser.add_mutually_exclusive_group()
    images.add_argument(
        "--input", metavar="FILE", nargs="+", help="pictures, .npy arrays, or folders of them"
    )
    images.add_argument(
        "--batch", metavar="N", type=positive, default=1, help="random images (default: 1)"
    )
    parser.add_argument(
        "--tolerance",
        metavar="E",
        type=tolerance,
        help="the largest error of the output that is fine (default: "
        + ", ".join(f"{number:g} with {kept}" for kept, number in TOLERANCES.items())
        + ")",
    )
    add_machine(parser)
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Compare every row and the output."""
    given = args.weights is not None or args.seed is not None or args.model.endswith(COMPILED)
    if not given and shipped_weights(args.model) is None:
        args.seed = 0
    found = _verify(args, open_model(args, args.batch), terminal)
    if args.format == "json":
        terminal.json(found.as_json())
    else:
        found.print(terminal)
    return int(not found.within)


def _verify(args: argparse.Namespace, model: Model, terminal: Terminal) -> Verification:
    inputs = _inputs(model, args)
    expected = expectation(args.against, model, inputs)
    with terminal.progress("rows", len(model.network.ir.nodes)) as progress:
        rows = tuple(row_errors(model, inputs, expected, progress.advance))
    usual = max(TOLERANCES[args.dense_weights], TOLERANCES[args.precision])
    return Verification(
        name=args.model,
        model=model,
        against=args.against,
        said_by=expected.said_by,
        tolerance=usual if args.tolerance is None else args.tolerance,
        rows=rows,
        # The reference computes all rows; one that has no node became a part of another's.
        alone=() if args.against == REFERENCE else _without_counterpart(model, expected),
        outputs=output_errors(model, inputs, expected),
        change=_change(model, inputs, args),
    )


def _inputs(model: Model, args: argparse.Namespace) -> Inputs:
    """The images to compare with: those of files, or random ones."""
    if args.input is None:
        _check_memory(model, args.batch, args.max_memory)
        return _random(model, args.batch, args.seed)
    findings: list[Diagnostic] = []
    feeds = list(read_feeds(find_feeds(args.input, model), model, findings, lambda count: None))
    if findings:
        raise InputError.of(findings)
    if not feeds:
        raise InputError(f"no images in {', '.join(args.input)}", code="E603")
    _check_memory(model, len(feeds), args.max_memory)
    columns = zip(*(feed.images for feed in feeds), strict=True)
    return tuple(np.stack(column).astype(np.float32) for column in columns)


def _random(model: Model, batch: int, seed: int | None) -> Inputs:
    """Images of standard normal numbers."""
    rng, shapes = np.random.default_rng(seed or 0), model.inputs.values()
    return tuple(rng.standard_normal((batch, *shape), np.float32) for shape in shapes)


def _change(model: Model, inputs: Inputs, args: argparse.Namespace) -> Change | None:
    """What fewer bits change, for the images of files or for enough random ones."""
    if narrowed(model) == "float32":
        return None
    if args.input is None:
        inputs = _random(model, IMAGES, args.seed)
    return narrowing_change(model, inputs)


def _check_memory(model: Model, batch: int, limit: int) -> None:
    """Raise `LimitError` where the reference, which keeps every row's float64, needs too much."""
    needed = 2 * batch * sum(row.activation_bytes for row in model.network.summary().rows)
    if needed > limit:
        raise LimitError(
            f"the reference needs {format_bytes(needed)} for {batch} images, and the limit is "
            f"{format_bytes(limit)}",
            fixes=["fewer images, or a larger --max-memory"],
        )


def _without_counterpart(model: Model, expected: Expectation) -> tuple[str, ...]:
    """The rows that nothing is expected of: the other model has nothing like them."""
    nodes = compilation_of(model).graph.nodes
    known = {node.row for node in nodes if node.name in expected.values}
    return tuple(dict.fromkeys(node.row for node in nodes if node.row not in known))


def against(text: str) -> str:
    """What is right, as argparse reads arguments."""
    if text not in (REFERENCE, TORCH) and not text.endswith(ONNX):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not {REFERENCE}, {TORCH}, or the name of an {ONNX} file"
        )
    return text


def tolerance(text: str) -> float:
    """An error from 0 to 1, as argparse reads arguments."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value
