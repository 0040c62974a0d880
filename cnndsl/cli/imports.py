"""`cnndsl import`: other people's tables and models as `.cnn` tables."""

from __future__ import annotations

import argparse
from importlib import import_module

from cnndsl.cli.arguments import add_format
from cnndsl.cli.terminal import Terminal

EPILOG = """\
examples:
  cnndsl import table paper.md -o paper.cnn
  xclip -o | cnndsl import table - --name LeNet-5
  cnndsl import onnx model.onnx -o model.cnn

Markdown, TSV and CSV are told apart by their text. Rows may stand input first or output first;
headers and types may be English or Korean. What the table does not say is written out, and said
on standard error. Of an ONNX model the weights are written beside the table, as model.safetensors;
what no row can say is listed, and nothing is written."""

_KINDS = {"table": "import_table", "onnx": "import_onnx"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `import` takes."""
    parser.add_argument("what", choices=tuple(_KINDS), help="what to import")
    parser.add_argument(
        "file", metavar="FILE", help="a pasted table (- for standard input), or an ONNX model"
    )
    parser.add_argument("--name", help="the network's name (default: the file's)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write the table")
    add_format(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read it and write a table."""
    status: int = import_module(f"cnndsl.cli.{_KINDS[args.what]}").run(args, terminal)
    return status
