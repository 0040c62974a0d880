"""`cnndsl diff`: what differs between two networks, and which weights still load."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from cnndsl.cli.arguments import add_format, add_limits, limits_of
from cnndsl.cli.specs import load_spec
from cnndsl.cli.terminal import Terminal
from cnndsl.ir.difference import Difference, RowDifference, WeightDifference, compare
from cnndsl.limits import format_bytes

EPILOG = """\
examples:
  cnndsl diff alexnet.cnn alexnet_2012
  cnndsl diff before.cnnm after.cnn --json

Rows of the same name stand for each other; rows that say the same in the same order under another
name count as renamed. Weights load where the name and the shape are the same. Exit status 0 where
nothing differs, 1 where something does."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `diff` takes."""
    what = "a .cnn file, - for standard input, a compiled .cnnm, or a shipped spec's name"
    parser.add_argument("before", metavar="A", help=what)
    parser.add_argument("after", metavar="B", help="the same, to compare with it")
    add_format(parser, result=True)
    add_limits(parser)


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Compare the two networks."""
    limits = limits_of(args)
    difference = compare(load_spec(args.before, limits), load_spec(args.after, limits))
    if args.format == "json":
        terminal.json(_as_json(difference))
    else:
        _print(difference, args.before, args.after, terminal)
    return int(not difference.is_empty)


def _print(difference: Difference, before: str, after: str, terminal: Terminal) -> None:
    if difference.rows:
        terminal.table(("row", "", "change"), list(map(_row, difference.rows)), ())
        terminal.say("")
    if difference.outputs is not None:
        terminal.say(f"{difference.outputs}\n")
    terminal.table(("", before, after, "change"), _costs(difference), (before, after, "change"))
    terminal.say("")
    for line in _weights(difference.weights):
        terminal.say(line)


def _row(row: RowDifference) -> tuple[str, str, str]:
    changes = [str(change) for change in row.changes]
    if row.kind == "renamed":
        changes.insert(0, f"now {row.after}")
    return row.before or row.after or "", row.kind, ", ".join(changes)


def _costs(difference: Difference) -> list[tuple[str, str, str, str]]:
    was, now = difference.before, difference.after
    counts = [
        ("rows", len(was.rows), len(now.rows)),
        ("parameters", was.params, now.params),
        ("MACs an image", was.macs, now.macs),
    ]
    lines = [(what, f"{a:,}", f"{b:,}", f"{b - a:+,}" if a != b else "") for what, a, b in counts]
    more = now.peak_bytes - was.peak_bytes
    change = f"{'+' if more > 0 else '-'}{format_bytes(abs(more))}" if more else ""
    peaks = format_bytes(was.peak_bytes), format_bytes(now.peak_bytes)
    return [*lines, ("peak of activations", *peaks, change)]


def _weights(weights: Sequence[WeightDifference]) -> Iterator[str]:
    counts = Counter(weight.fate for weight in weights)
    needed = sum(weight.after is not None for weight in weights)
    if counts["loads"] == len(weights):
        yield f"weights: all {needed} tensors load"
        return
    yield f"weights: {counts['loads']} of {needed} tensors load"
    for weight in weights:
        shapes = [list(s) for s in (weight.shape_before, weight.shape_after) if s is not None]
        match weight.fate:
            case "loads":
                continue
            case "reshaped":
                yield f"  {weight.after}: {shapes[0]} becomes {shapes[1]}"
            case "unconnected":
                yield f"  {weight.after}: entries between maps that are not connected must be 0"
            case "renamed":
                yield f"  {weight.after}: {shapes[0]}, called {weight.before} before"
            case "missing":
                yield f"  {weight.after}: {shapes[0]} is new"
            case "left over":
                yield f"  {weight.before}: {shapes[0]} is not read any more"


def _as_json(difference: Difference) -> dict[str, Any]:
    def totals(name: str) -> dict[str, int | str]:
        summary = getattr(difference, name)
        return {
            "name": summary.name,
            "rows": len(summary.rows),
            "params": summary.params,
            "macs": summary.macs,
            "peak_activation_bytes": summary.peak_bytes,
        }

    return {
        "same": difference.is_empty,
        "before": totals("before"),
        "after": totals("after"),
        "outputs": asdict(difference.outputs) if difference.outputs is not None else None,
        "rows": [asdict(row) for row in difference.rows],
        "weights": [asdict(weight) for weight in difference.weights],
    }
