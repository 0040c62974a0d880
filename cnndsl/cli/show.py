"""`cnndsl show`: a network's sizes and costs, and its graph."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

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
from cnndsl.ir.draw import draw_svg
from cnndsl.ir.network import Network
from cnndsl.ir.summary import HEADINGS, NUMBERS, Summary

EPILOG = """\
examples:
  cnndsl show alexnet
  cnndsl show alexnet.cnn --svg alexnet.svg
  cnndsl show alexnet --json

Memory is a row's output for one image, in float32; the peak is what lives at once."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `show` takes."""
    add_spec(parser)
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
        terminal.json(_as_json(network))
    else:
        _print(network.summary(), terminal)
    return 0


def _print(summary: Summary, terminal: Terminal) -> None:
    terminal.say(f"{summary.name}\n")
    terminal.table(HEADINGS, [row.cells for row in summary.rows], NUMBERS)
    terminal.say("")
    for line in summary.conventions:
        terminal.say(f"  {line}")
    for line in (*summary.ends, summary.totals):
        terminal.say(line)


def _as_json(network: Network) -> dict[str, Any]:
    summary = network.summary()
    return {
        "name": summary.name,
        "params": summary.params,
        "trainable_params": summary.trainable_params,
        "macs": summary.macs,
        "weight_bytes": summary.weight_bytes,
        "peak_activation_bytes": summary.peak_bytes,
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
