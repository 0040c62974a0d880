"""`cnndsl import onnx`: an ONNX model as a `.cnn` table and a file of weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnndsl.cli.arguments import write_file
from cnndsl.cli.terminal import Terminal
from cnndsl.exchange import from_onnx


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read the model and write it."""
    found = from_onnx(args.file, name=args.name)
    text = found.network.source.text
    if args.output is None:
        terminal.write(text)
        terminal.note("note: the weights are written with -o FILE.cnn only, beside the table")
        return 0
    table = Path(args.output)
    weights = table.with_suffix(".safetensors")
    found.save_weights(weights)
    write_file(table, text)
    terminal.note(f"note: the weights are in {weights}")
    return 0
