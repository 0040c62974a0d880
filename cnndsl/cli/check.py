"""`cnndsl check`: what is wrong with tables."""

from __future__ import annotations

import argparse

from cnndsl.cli.arguments import add_format, add_limits, limits_of
from cnndsl.cli.specs import load_spec
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import CnnError, Diagnostic

EPILOG = """\
examples:
  cnndsl check alexnet.cnn
  cnndsl check specs/*.cnn --format github
  cnndsl import table paper.md | cnndsl check -

Findings are the result: they go to standard output. Only errors make the exit status 1;
with --strict warnings do too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `check` takes."""
    parser.add_argument(
        "specs",
        nargs="+",
        metavar="SPEC",
        help="a .cnn file, - for standard input, or a shipped spec's name",
    )
    add_format(parser, result=True)
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Check every table; one that is wrong does not keep the others from being checked."""
    findings: list[Diagnostic] = []
    fine: list[str] = []
    for spec in args.specs:
        try:
            network = load_spec(spec, limits_of(args))
        except CnnError as error:
            findings += error.diagnostics
        else:
            findings += network.warnings
            fine.append(
                f"{spec}: {len(network)} rows, {network.params:,} parameters, every claim true"
            )
    terminal.report(findings, args.format, result=True)
    if args.format == "text":
        for line in fine:
            terminal.say(line)
        if findings:
            terminal.say(_count(findings))
    wrong = any(args.strict or finding.severity == "error" for finding in findings)
    return int(wrong)


def _count(findings: list[Diagnostic]) -> str:
    severities = [finding.severity for finding in findings]
    counts = [(word, severities.count(word)) for word in ("error", "warning")]
    return ", ".join(f"{count} {word}{'s' * (count != 1)}" for word, count in counts if count)
