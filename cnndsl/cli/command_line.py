"""What the command line may say: the verbs, their pages of help, and what mends a mistake."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, cast

from cnndsl import __version__
from cnndsl.cli.misuse import Misuse
from cnndsl.cli.terminal import Terminal
from cnndsl.resources import shipped_specs

# Each verb's module is imported when it is called for: `run` needs no parser, `fmt` no arrays.
_VERBS = {
    "check": ("check", "find what is wrong with a table"),
    "show": ("show", "print sizes, parameters, cost and memory, or draw the graph"),
    "fmt": ("fmt", "align a table's columns, and fill in what can be inferred"),
    "explain": ("explain", "print a row's exact formula, type, cost and kernel"),
    "compile": ("compile", "make one file of a table and its weights, or print a stage"),
    "run": ("run", "classify pictures"),
    "bench": ("bench", "measure how fast a network runs"),
    "verify": ("verify", "compare a compiled network with the float64 reference, row by row"),
    "diff": ("diff", "compare two networks: rows, costs, and which weights still load"),
    "doctor": ("doctor", "print versions, what the compiler sees, and what the cache holds"),
    "import": ("imports", "read tables, models and weights that other tools have written"),
    "export": ("export", "write an ONNX model of a network with its weights"),
}
# What other tools call them.
_SYNONYMS = {
    "benchmark": "bench",
    "build": "compile",
    "classify": "run",
    "compare": "diff",
    "convert": "import",
    "format": "fmt",
    "infer": "run",
    "info": "show",
    "lint": "check",
    "predict": "run",
    "summary": "show",
    "test": "verify",
    "validate": "check",
}

_EPILOG = """\
examples:
  cnndsl check alexnet.cnn
  cnndsl run lenet5 examples/digits
  cnndsl import table paper.md -o paper.cnn

A network is a .cnn file, or the name of one that comes with cnndsl: lenet5, alexnet, resnet50, ...
`cnndsl VERB --help` says what a verb takes.

Exit status: 0 fine, 1 findings, 2 a mistake in the command."""


class Verb(Protocol):
    """A verb's module."""

    EPILOG: str
    """Examples, for the end of the help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what it takes."""
        ...

    def run(self, args: argparse.Namespace, terminal: Terminal) -> int:
        """Do it. Returns 0 for fine, 1 for findings, or raises `CnnError`."""
        ...


class _Parser(argparse.ArgumentParser):
    """A parser that raises `Misuse` where argparse prints its usage and leaves."""

    def error(self, message: str) -> NoReturn:
        """Refuse what the command line says."""
        raise Misuse(f"{self.prog}: {message}", fixes=[f"{self.prog} --help says what it takes"])


def read_command(arguments: Sequence[str]) -> tuple[Verb, argparse.Namespace] | None:
    """
    The verb and its arguments, or None where there are none and the help was printed.

    Raises `Misuse` for a command that cannot be understood, and `SystemExit` where a page of help
    or the version was asked for.
    """
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    if chosen is not None and chosen not in _VERBS and arguments[0] == chosen:
        raise Misuse(f"there is no verb {chosen!r}", fixes=_meant_by(chosen))
    parser = _Parser(
        prog="cnndsl",
        description="A layer table in, a fast network out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cnndsl {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    page, verb = parser, None
    for name, (module, summary) in _VERBS.items():
        own = verbs.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            page, verb = own, cast("Verb", import_module(f"cnndsl.cli.{module}"))
            verb.add_arguments(own)
            own.epilog = verb.EPILOG
            own.add_argument("--debug", action="store_true", help="show where cnndsl itself failed")
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise _not_taken(unknown[0], page)
    if verb is None:
        parser.print_help(sys.stderr)
        return None
    _spare_what_is_read(args)
    return verb, args


def _spare_what_is_read(args: argparse.Namespace) -> None:
    """Raise `Misuse` where the output would replace a file that the command reads."""
    values = dict(vars(args))
    output = values.pop("output", None)
    if output is None or not os.path.exists(output):
        return
    for value in values.values():
        names = cast("list[object]", value if isinstance(value, list) else [value])
        for name in names:
            if isinstance(name, str) and os.path.exists(name) and os.path.samefile(name, output):
                message = f"{output} is read, and what is written would replace it"
                raise Misuse(message, fixes=["another name behind -o"])


def _not_taken(word: str, page: argparse.ArgumentParser) -> Misuse:
    """The error of an argument that the verb of that page does not take, or not there."""
    help_page = f"{page.prog} --help says what it takes"
    if not word.startswith("-"):
        return Misuse(f"{page.prog}: {word!r} is an argument too many", fixes=[help_page])
    options = re.findall(r"--[a-z-]+", page.format_usage())
    option = word.partition("=")[0]
    if option in options:
        return Misuse(f"{option} stands before its verb", fixes=[f"{page.prog} {option}"])
    fixes = [f"did you mean {meant}?" for meant in _nearest(option, options)]
    return Misuse(f"{page.prog} has no option {option}", fixes=fixes or [help_page])


def _meant_by(word: str) -> list[str]:
    """What may mend a command that begins with a word that is no verb."""
    meant = _SYNONYMS.get(word.lower()) or next(iter(_nearest(word, _VERBS)), None)
    if meant is not None:
        return [f"did you mean {meant}?"]
    if word in shipped_specs() or Path(word).suffix:
        return [f"a verb comes first, such as check or show: cnndsl check {word}"]
    return ["cnndsl --help lists the verbs"]


def _nearest(word: str, names: Iterable[str]) -> list[str]:
    """The name that is most like a word, if one is."""
    # Imported here: a command that is right does not need it.
    from difflib import get_close_matches

    return get_close_matches(word, list(names), 1, 0.7)
