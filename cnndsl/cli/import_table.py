"""`cnndsl import table`: a pasted table as a `.cnn` text."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnndsl.cli.arguments import STDIN, add_format, read_stdin, write_file
from cnndsl.cli.terminal import Terminal
from cnndsl.frontend.reading import decode_source, read_source
from cnndsl.frontend.tables import import_table
from cnndsl.limits import Limits

EPILOG = """\
examples:
  cnndsl import table paper.md -o paper.cnn
  xclip -o | cnndsl import table - --name LeNet-5

Markdown, TSV and CSV are told apart by their text. Rows may stand input first or output first;
headers and types may be English or Korean. What the table does not say is written out, and said
on standard error."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `import` takes."""
    parser.add_argument("what", choices=("table",), help="what to import")
    parser.add_argument("file", metavar="FILE", help="the pasted table, - for standard input")
    parser.add_argument("--name", help="the network's name (default: the file's)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it")
    add_format(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read the table and write it."""
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
