"""`cnndsl import onnx`: an ONNX model as a `.cnn` table and a file of weights."""

from __future__ import annotations

import argparse

from cnndsl.cli.imported import write_imported
from cnndsl.cli.terminal import Terminal
from cnndsl.exchange import from_onnx


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read the model and write it."""
    found = from_onnx(args.file, name=args.name)
    if args.output is None:
        terminal.write(found.network.source.text)
        terminal.note("note: the weights are written with -o FILE.cnn only, beside the table")
        return 0
    write_imported(found, args.output, terminal)
    return 0
