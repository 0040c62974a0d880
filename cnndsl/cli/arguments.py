"""Arguments that several verbs take, and the reading of what they name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cnndsl.cli.findings import FORMATS
from cnndsl.errors import CnnError, FileError
from cnndsl.interop.drafts import write_whole
from cnndsl.limits import Limits, parse_bytes
from cnndsl.types import DENSE_WEIGHTS, NUMERICS, PRECISIONS, Options

Value = TypeVar("Value")

STDIN = "-"
COMPILED = ".cnnm"
"""How compiled models' files end."""


def add_spec(parser: argparse.ArgumentParser) -> None:
    """A table: a file, `-`, or a shipped one's name."""
    parser.add_argument(
        "spec", metavar="SPEC", help="a .cnn file, - for standard input, or a shipped spec's name"
    )


def add_limits(parser: argparse.ArgumentParser) -> None:
    """The limit on memory."""
    parser.add_argument(
        "--max-memory",
        metavar="BYTES",
        type=refusing(parse_bytes),
        default=Limits().memory,
        help="refuse networks that need more for weights and one image, e.g. 512M (default: 8G)",
    )


def add_format(parser: argparse.ArgumentParser, *, result: bool = False) -> None:
    """How findings are written. `result`: this verb's results can be JSON as well."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="text",
        help="how findings are written; json and github go to standard output (default: text)",
    )
    if result:
        parser.add_argument(
            "--json",
            action="store_const",
            const="json",
            dest="format",
            help="write results and findings as JSON",
        )


def add_numerics(parser: argparse.ArgumentParser) -> None:
    """Which kernels may run."""
    parser.add_argument(
        "--numerics",
        choices=NUMERICS,
        default="fast",
        help="strict: only kernels that sum products as the operators define them (default: fast)",
    )


def add_dense_weights(parser: argparse.ArgumentParser) -> None:
    """What is kept of dense rows' weights."""
    parser.add_argument(
        "--dense-weights",
        choices=DENSE_WEIGHTS,
        default="float32",
        help="bits that are kept of dense rows' weights, which then are read faster and err more "
        "(default: float32, all)",
    )


def add_precision(parser: argparse.ArgumentParser) -> None:
    """What the factors of products are rounded to."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="what cuda rounds the factors of products to, which its tensor cores then multiply "
        "(default: float32)",
    )


def add_batch(parser: argparse.ArgumentParser) -> None:
    """The images of a usual call."""
    parser.add_argument(
        "--batch",
        metavar="N",
        type=positive,
        default=1,
        help="choose what is the fastest for so many images a call (default: 1)",
    )


def refusing(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """A reader of an argument, whose refusal is a mistake in the command."""

    def read(text: str) -> Value:
        try:
            return parse(text)
        except CnnError as error:
            raise argparse.ArgumentTypeError(error.diagnostics[0].message) from None

    return read


def output_file(text: str) -> str:
    """The name of a file to write, as argparse reads arguments: no stream, for it is renamed."""
    if text in ("", STDIN):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a file")
    return text


def positive(text: str) -> int:
    """A positive whole number, as argparse reads arguments."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 10**6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000000")
    return int(text)


def whole(text: str) -> int:
    """A whole number of at least 0, as argparse reads arguments."""
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number such as 0")
    return int(text)


def positives(text: str) -> list[int]:
    """Positive whole numbers separated by commas, as argparse reads arguments."""
    return [positive(part) for part in text.split(",")]


def options_of(args: argparse.Namespace, batch: int) -> Options:
    """How exactly the arguments ask a target to compute, with what is fastest for a batch."""
    return Options(args.numerics, args.dense_weights, args.precision, batch)


def limits_of(args: argparse.Namespace) -> Limits:
    """The limits that the arguments ask for."""
    return Limits(memory=args.max_memory)


def read_stdin(limit: int) -> bytes:
    """Standard input, or a byte more than `limit` of it. Raises `FileError` where it is closed."""
    if not sys.stdin:
        raise FileError("cannot read standard input: it is closed", fixes=["a file, or a pipe"])
    return sys.stdin.buffer.read(limit + 1)


def write_file(path: Path, text: str) -> None:
    """Write a text file, LF line ends, whole or not at all. Raises `FileError`."""
    write_whole(path, text.encode())
