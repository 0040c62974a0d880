"""`cnndsl import darknet`: a Darknet network as a `.cnn` table and a file of weights."""

from __future__ import annotations

import argparse

from cnndsl.cli.imported import write_imported
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import CnnError
from cnndsl.exchange import from_darknet


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read the network and write it."""
    if args.weights is not None and args.output is None:
        raise CnnError("weights are written beside the table", fixes=["-o FILE.cnn"])
    found = from_darknet(args.file, args.weights, name=args.name)
    if args.output is None:
        terminal.write(found.network.source.text)
        return 0
    write_imported(found, args.output, terminal)
    return 0
