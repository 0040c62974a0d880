"""`cnndsl fmt`: tables in their canonical form."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path

from cnndsl.cli.arguments import STDIN, add_format, add_limits, limits_of, read_stdin, write_file
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import CnnError, Diagnostic
from cnndsl.frontend.format import format_text
from cnndsl.frontend.reading import decode_source, read_source
from cnndsl.limits import Limits
from cnndsl.source import Source

EPILOG = """\
examples:
  cnndsl fmt alexnet.cnn
  cnndsl fmt --fill alexnet.cnn
  cnndsl fmt --check --diff specs/*.cnn

Files are rewritten in place; - formats standard input to standard output. With --check or --diff
nothing is written, and the exit status is 1 if a file would change."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `fmt` takes."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a .cnn file, or - for standard input"
    )
    parser.add_argument(
        "--check", action="store_true", help="only name the files that would change"
    )
    parser.add_argument("--diff", action="store_true", help="only print what would change")
    parser.add_argument(
        "--fill", action="store_true", help="write inferred values for `?` and missing claims"
    )
    add_format(parser)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Format every file; one that cannot be read does not keep the others from it."""
    findings: list[Diagnostic] = []
    changed = 0
    for name in args.files:
        try:
            source = _read(name, limits_of(args))
            text = format_text(source, fill=args.fill, limits=limits_of(args))
            changed += _finish(source, text, args, terminal)
        except CnnError as error:
            findings += error.diagnostics
    terminal.report(findings, args.format)
    dry = args.check or args.diff
    return int(bool(findings) or (dry and changed > 0))


def _read(name: str, limits: Limits) -> Source:
    if name == STDIN:
        return decode_source("<stdin>", read_stdin(limits.text_bytes), limits)
    return read_source(Path(name), limits)


def _finish(source: Source, text: str, args: argparse.Namespace, terminal: Terminal) -> bool:
    """Write or show one file's canonical text. Returns whether it differs."""
    changed = text != source.text
    if changed and args.diff:
        for line in _diff(source, text):
            terminal.write(line)
    if changed and args.check:
        terminal.note(f"{source.name} would be changed")
    if args.check or args.diff:
        return changed
    if source.name == "<stdin>":
        terminal.write(text)
    elif changed:
        write_file(Path(source.name), text)
        terminal.note(f"{source.name}: changed")
    return changed


def _diff(source: Source, text: str) -> list[str]:
    lines = difflib.unified_diff(
        source.text.splitlines(keepends=True),
        text.splitlines(keepends=True),
        source.name,
        f"{source.name} (formatted)",
    )
    return [line if line.endswith("\n") else f"{line}\n" for line in lines]
