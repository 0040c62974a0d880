"""`cnndsl export`: a network with its weights as an ONNX model."""

from __future__ import annotations

import argparse

from cnndsl.cli.arguments import add_format, add_limits, output_file
from cnndsl.cli.models import add_weights, open_model
from cnndsl.cli.terminal import Terminal
from cnndsl.exchange import to_onnx

_ONNX = ".onnx"

EPILOG = """\
examples:
  cnndsl export lenet5.cnn --weights lenet5.safetensors -o lenet5.onnx
  cnndsl export lenet5.cnnm -o lenet5.onnx

The model takes any batch, in the input row's layout. Its nodes say their row and line. ONNX's own
checker has found it valid. This needs the package onnx: pip install "cnndsl[onnx]"."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `export` takes."""
    parser.add_argument(
        "model", metavar="MODEL", help="a .cnnm file, or a .cnn table or a shipped spec's name"
    )
    add_weights(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=_onnx_file,
        required=True,
        help="the ONNX model",
    )
    add_format(parser)
    add_limits(parser)
    # Nothing is run: the network and its weights are all that is needed.
    parser.set_defaults(
        target="reference",
        threads=1,
        numerics="strict",
        dense_weights="float32",
        precision="float32",
    )


def _onnx_file(text: str) -> str:
    """The name of the file to write, which says what it is: so `verify` and others know it."""
    name = output_file(text)
    if not name.lower().endswith(_ONNX):
        raise argparse.ArgumentTypeError(f"{text!r} does not end with {_ONNX}, which it is to be")
    return name


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Write the model."""
    to_onnx(open_model(args, batch=1), args.output)
    return 0
