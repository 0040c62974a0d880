"""`cnndsl import table`: a pasted table as a `.cnn` text."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnndsl.cli.arguments import STDIN, read_stdin, write_file
from cnndsl.cli.terminal import Terminal
from cnndsl.frontend.reading import decode_source, read_source
from cnndsl.frontend.tables import import_table
from cnndsl.limits import Limits


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read the pasted table and write it."""
    limits = Limits()
    if args.file == STDIN:
        source = decode_source("<stdin>", read_stdin(limits.text_bytes), limits)
    else:
        source = read_source(Path(args.file), limits)
    stem = "Network" if args.file == STDIN else Path(args.file).stem
    table = import_table(source.text, args.name or stem, source.name, limits)
    terminal.report(table.diagnostics, args.format)
    for note in table.notes:
        terminal.note(f"note: {note}")
    if args.output is None:
        terminal.write(table.text)
    else:
        write_file(Path(args.output), table.text)
    return 0
