"""`cnndsl import`: other people's tables, models and weights as ours."""

from __future__ import annotations

import argparse
from importlib import import_module

from cnndsl.cli.arguments import add_format, output_file, refusing
from cnndsl.cli.misuse import Misuse
from cnndsl.cli.terminal import Terminal
from cnndsl.interop.foreign.layers import LAYOUTS
from cnndsl.ops.normalization import EPSILON

EPILOG = """\
examples:
  cnndsl import table paper.md -o paper.cnn
  xclip -o | cnndsl import table - --name LeNet-5
  cnndsl import onnx model.onnx -o model.cnn
  cnndsl import darknet yolov3-tiny.cfg --weights yolov3-tiny.weights -o yolo.cnn
  cnndsl import weights resnet50.pth --for resnet50 -o resnet50.safetensors
  cnndsl import weights resnet50.pth --for resnet50 --map

Markdown, TSV and CSV are told apart by their text. Rows may stand input first or output first;
headers and types may be English or Korean. What the table does not say is written out, and said
on standard error. Of an ONNX or Darknet model the weights are written beside the table, as
model.safetensors; what no row can say is listed, and nothing is written.

Weights of PyTorch, Keras, Darknet, NumPy or safetensors files are paired with a table's rows by
shapes, order and names. --map prints how, and what was left over; where several pairings are
possible, --map FILE says which is meant: lines `ROW = LAYER`, and `- = LAYER` to leave one out."""

_KINDS = {
    "table": "import_table",
    "onnx": "import_onnx",
    "darknet": "import_darknet",
    "weights": "import_weights",
}
_ONLY_FOR = {
    "name": ("table", "onnx", "darknet"),
    "spec": ("weights",),
    "map": ("weights",),
    "layout": ("weights",),
    "epsilon": ("weights",),
    "cfg": ("weights",),
    "weights": ("darknet",),
}
"""Which of them an argument is for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `import` takes."""
    parser.add_argument("what", choices=tuple(_KINDS), help="what to import")
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a pasted table (- for standard input), an ONNX model, a Darknet .cfg, or weights",
    )
    parser.add_argument("--name", help="the network's name (default: the file's)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=output_file, help="where to write it"
    )
    add_format(parser, result=True)
    darknet = parser.add_argument_group("darknet")
    darknet.add_argument("--weights", metavar="FILE", help="the network's .weights")
    weights = parser.add_argument_group("weights")
    weights.add_argument(
        "--for", metavar="SPEC", dest="spec", help="the table: a .cnn file or a shipped spec's name"
    )
    weights.add_argument(
        "--map",
        metavar="PAIRS",
        nargs="?",
        const="",
        help="print the pairs, or read some of a file",
    )
    weights.add_argument(
        "--layout", choices=LAYOUTS, help="whose axes they are, where the shapes fit either way"
    )
    weights.add_argument(
        "--epsilon",
        metavar="E",
        type=refusing(EPSILON.parse),
        help="what their normalizations add to the variance, where the table's add another",
    )
    weights.add_argument("--cfg", metavar="FILE", help="the .cfg of Darknet's .weights")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read it and write it as ours."""
    for name, kinds in _ONLY_FOR.items():
        if getattr(args, name) is not None and args.what not in kinds:
            option = "for" if name == "spec" else name
            raise Misuse(f"--{option} goes with `import {kinds[0]}`, not `import {args.what}`")
    status: int = import_module(f"cnndsl.cli.{_KINDS[args.what]}").run(args, terminal)
    return status
