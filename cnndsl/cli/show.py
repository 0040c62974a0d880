"""`cnndsl show`: a network's sizes and costs, and its graph."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from cnndsl.backends.protocol import Backend
from cnndsl.cli.arguments import (
    STDIN,
    add_format,
    add_limits,
    add_spec,
    limits_of,
    write_file,
)
from cnndsl.cli.findings import as_json
from cnndsl.cli.specs import load_spec
from cnndsl.cli.terminal import Terminal
from cnndsl.compiler import Compilation
from cnndsl.errors import TargetError
from cnndsl.ir.cost import FLOAT
from cnndsl.ir.draw import draw_svg
from cnndsl.ir.network import Network
from cnndsl.ir.summary import HEADINGS, NUMBERS, Summary
from cnndsl.limits import format_bytes
from cnndsl.targets import TARGETS

EPILOG = """\
examples:
  cnndsl show alexnet
  cnndsl show alexnet.cnn --svg alexnet.svg
  cnndsl show alexnet --json

Memory is a row's output for one image, in float32; the peak is what lives at once. The arena is
what a target lays all of it into, the zeros around images included, and allocates for each image of
a batch: inputs and outputs are the caller's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `show` takes."""
    add_spec(parser)
    parser.add_argument(
        "--target", choices=TARGETS, default="cpu", help="whose arena to say (default: cpu)"
    )
    parser.add_argument(
        "--svg", metavar="FILE", help="draw the graph into a file instead, - for standard output"
    )
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Print the summary or draw the graph."""
    network = load_spec(args.spec, limits_of(args))
    if args.format != "json":
        terminal.report(network.warnings, args.format)
    if args.svg == STDIN:
        terminal.write(draw_svg(network))
    elif args.svg is not None:
        write_file(Path(args.svg), draw_svg(network))
    elif args.format == "json":
        terminal.json(_as_json(network, args.target))
    else:
        _print(network.summary(), terminal)
        arena = _arena_bytes(network, args.target)
        if arena is not None:
            terminal.say(f"arena on the target {args.target}: {format_bytes(arena)} an image")
    return 0


def _arena_bytes(network: Network, target: str) -> int | None:
    """What a target allocates for an image, if it plans its memory and can run all rows."""
    compilation = Compilation(network, target)
    if isinstance(compilation.backend, Backend):
        with contextlib.suppress(TargetError):
            return compilation.plan.arena * FLOAT
    return None


def _print(summary: Summary, terminal: Terminal) -> None:
    terminal.say(f"{summary.name}\n")
    terminal.table(HEADINGS, [row.cells for row in summary.rows], NUMBERS)
    terminal.say("")
    for line in summary.conventions:
        terminal.say(f"  {line}")
    for line in (*summary.ends, summary.totals):
        terminal.say(line)


def _as_json(network: Network, target: str) -> dict[str, Any]:
    summary = network.summary()
    return {
        "name": summary.name,
        "params": summary.params,
        "trainable_params": summary.trainable_params,
        "macs": summary.macs,
        "weight_bytes": summary.weight_bytes,
        "peak_activation_bytes": summary.peak_bytes,
        "target": target,
        "arena_bytes": _arena_bytes(network, target),
        "inputs": list(network.signature.inputs),
        "outputs": list(network.outputs),
        "rows": [
            {
                "name": row.name,
                "type": row.row_type,
                "values": row.values,
                "conventions": list(row.conventions),
                "shape": list(row.shape),
                "params": row.params,
                "macs": row.macs,
                "activation_bytes": row.activation_bytes,
            }
            for row in summary.rows
        ],
        "diagnostics": [as_json(diagnostic) for diagnostic in network.warnings],
    }
