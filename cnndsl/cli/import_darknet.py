"""`cnndsl import darknet`: a Darknet network as a `.cnn` table and a file of weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnndsl.cli.arguments import write_file
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import CnnError
from cnndsl.exchange import from_darknet


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read the network and write it."""
    if args.weights is not None and args.output is None:
        raise CnnError("weights are written beside the table", fixes=["-o FILE.cnn"])
    found = from_darknet(args.file, args.weights, name=args.name)
    text = found.network.source.text
    if args.output is None:
        terminal.write(text)
        return 0
    table = Path(args.output)
    write_file(table, text)
    if args.weights is not None:
        weights = table.with_suffix(".safetensors")
        found.save_weights(weights)
        terminal.note(f"note: the weights are in {weights}")
    return 0
