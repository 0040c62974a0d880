"""`cnndsl explain`: one row, with its numbers."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from cnndsl.cli.arguments import (
    add_batch,
    add_dense_weights,
    add_format,
    add_limits,
    add_numerics,
    add_precision,
    add_spec,
    limits_of,
    options_of,
)
from cnndsl.cli.choices import describe
from cnndsl.cli.explanation import Explanation, explain
from cnndsl.cli.specs import load_spec
from cnndsl.cli.terminal import Terminal
from cnndsl.compiler import Compilation
from cnndsl.limits import format_bytes
from cnndsl.source import text_cells
from cnndsl.targets import TARGETS

EPILOG = """\
examples:
  cnndsl explain alexnet N1
  cnndsl explain lenet5.cnn C3 --json
  cnndsl explain alexnet C5 --batch 16

In a formula i and j are the row and the column of a cell, o and c maps, k a cell of a vector.

Of a convolution, the algorithms that were considered are told: what the cost model estimates for
an image of --batch on one thread and whether arithmetic or memory is most of that, what
`compile --tune` has measured, the bound on the error, and why an algorithm was not chosen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `explain` takes."""
    add_spec(parser)
    parser.add_argument("row", metavar="ROW", help="a row's name")
    parser.add_argument(
        "--target", choices=TARGETS, default="cpu", help="whose kernels to name (default: cpu)"
    )
    add_batch(parser)
    add_numerics(parser)
    add_dense_weights(parser)
    add_precision(parser)
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Explain the row."""
    network = load_spec(args.spec, limits_of(args))
    explanation = explain(Compilation(network, args.target, options_of(args, args.batch)), args.row)
    if args.format == "json":
        terminal.json(asdict(explanation))
    else:
        _print(explanation, terminal)
    return 0


def _print(row: Explanation, terminal: Terminal) -> None:
    terminal.say(f"{row.name}: {row.type}, {row.summary}")
    terminal.say(f"{row.place}: {row.line}")
    for use in row.within:
        terminal.say(use)
    terminal.say("")
    tensors = ", ".join(f"{name} {list(shape)}" for name, shape in row.params.items())
    entries = {
        "values": [f"{name} {value}" for name, value in row.values.items()],
        "rows": [f"{name}: {text}" for name, text in row.rows.items()],
        "reads": [f"{name}: {type_}" for name, type_ in row.reads.items()],
        "formula": [f"{node}: {formula}" for node, formula in row.formulas.items()],
        "conventions": list(row.conventions),
        "output": [
            f"{row.output}, {format_bytes(row.activation_bytes)} an image",
            *([f"number {row.port} of the network's outputs"] if row.port is not None else []),
        ],
        "parameters": [f"{row.param_count:,}: {tensors}"] if row.param_count else ["none"],
        "MACs": [f"{row.macs:,} an image"],
        "considered": [describe(found) for found in row.considered],
        "kernel": list(row.kernels) or ["none: nothing is left to compute"],
    }
    width = max(map(text_cells, entries)) + 2
    for label, lines in entries.items():
        for i, line in enumerate(lines):
            terminal.say(f"{label if i == 0 else '':{width}}{line}")
