"""The command `cnndsl`: one verb, one page of help."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from cnndsl import __version__
from cnndsl.cli.misuse import Misuse
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import CnnError

FINE, FINDINGS, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 70, 130, 141
"""How the process ends. The last two are what a shell reports of a process that a signal ends."""

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


class Verb(Protocol):
    """A verb's module."""

    EPILOG: str
    """Examples, for the end of the help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what it takes."""
        ...

    def run(self, args: argparse.Namespace, terminal: Terminal) -> int:
        """Do it. Returns `FINE` or `FINDINGS`, or raises `CnnError`."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line and return the exit status.

    0 is fine, 1 means findings, 2 a mistake in the command itself. No error of the user ends in a
    traceback.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    terminal = Terminal.standard()
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    parser, verb = _parser(chosen)
    try:
        args = parser.parse_args(arguments)
        if verb is None:
            parser.print_help(sys.stderr)
            return USAGE
        status = _run(verb, args, terminal)
        sys.stdout.flush()
    except SystemExit as leave:
        return int(leave.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has read enough. What is still buffered must not raise again at exit.
        with contextlib.suppress(OSError, ValueError):  # a stream without a file has none
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return status


def _run(verb: Verb, args: argparse.Namespace, terminal: Terminal) -> int:
    try:
        return verb.run(args, terminal)
    except CnnError as error:
        terminal.report(error.diagnostics, args.format)
        return USAGE if isinstance(error, Misuse) else FINDINGS
    except BrokenPipeError:
        raise
    except MemoryError:
        terminal.note("cnndsl: there is not enough memory for this")
        return FINDINGS
    except Exception as error:
        if args.debug:
            terminal.note(traceback.format_exc())
        terminal.note(
            f"cnndsl: a mistake in cnndsl itself, please report it with the command and the file: "
            f"{type(error).__name__}: {error}" + ("" if args.debug else " (--debug shows where)")
        )
        return INTERNAL


def _parser(chosen: str | None) -> tuple[argparse.ArgumentParser, Verb | None]:
    """The parser, with the chosen verb's arguments in it, and that verb."""
    parser = argparse.ArgumentParser(
        prog="cnndsl",
        description="A layer table in, a fast network out.",
        epilog="Exit status: 0 fine, 1 findings, 2 a mistake in the command.",
    )
    parser.add_argument("--version", action="version", version=f"cnndsl {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs")
    verb: Verb | None = None
    for name, (module, summary) in _VERBS.items():
        page = verbs.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            verb = cast("Verb", import_module(f"cnndsl.cli.{module}"))
            verb.add_arguments(page)
            page.epilog = verb.EPILOG
            page.add_argument(
                "--debug", action="store_true", help="show where cnndsl itself failed"
            )
    return parser, verb
