"""`cnndsl import weights`: another framework's weights as a network's own."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnndsl.cli.specs import load_spec
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import CnnError
from cnndsl.frontend.reading import read_source
from cnndsl.interop.foreign.converting import Converted, Line, convert_weights
from cnndsl.interop.foreign.darknet import read_darknet
from cnndsl.interop.foreign.layers import ForeignWeights
from cnndsl.interop.foreign.pairs import read_pairs
from cnndsl.interop.foreign.reading import read_foreign
from cnndsl.interop.safetensors_file import save_safetensors
from cnndsl.limits import Limits

SHOW = ""
"""What `--map` is without a file."""


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Read the file, pair its tensors with the rows' and write them or say how they are paired."""
    if args.spec is None:
        raise CnnError(
            "whose weights are they?", fixes=["--for SPEC: a .cnn file, or a shipped spec's name"]
        )
    network = load_spec(args.spec, Limits())
    pairs = read_pairs(Path(args.map)) if args.map else None
    foreign = _read(Path(args.file), args.cfg)
    converted = convert_weights(foreign, network, pairs, args.layout, args.epsilon)
    if args.output is not None:
        save_safetensors(Path(args.output), converted.weights, {})
    if args.format == "json":
        terminal.json(_as_json(converted))
        return 0
    if args.map == SHOW or args.output is None:
        _print(converted, terminal)
    written = f"{args.output}: " if args.output is not None else ""
    count = sum(array.size for array in converted.weights.values())
    terminal.note(
        f"note: {written}{len(converted.weights)} tensors, {count:,} numbers, for {network.name}"
    )
    for line in _left_over(converted):
        terminal.note(f"note: {line}")
    return 0


def _read(file: Path, cfg: str | None) -> ForeignWeights:
    return read_foreign(file) if cfg is None else read_darknet(file, read_source(cfg))


def _print(converted: Converted, terminal: Terminal) -> None:
    headings = ("ours", "shape", "theirs", "their shape", "conversion", "known by")
    terminal.table(headings, [_cells(line) for line in converted.lines], ())


def _cells(line: Line) -> tuple[str, ...]:
    source = line.source
    theirs = ("-", "-")
    if source.tensor is not None:
        theirs = source.tensor.name, _shape(source.tensor.array.shape)
    return source.name, _shape(source.param.shape), *theirs, source.conversion.words, line.how


def _left_over(converted: Converted) -> Iterator[str]:
    for tensor, reason in converted.left_over:
        yield f"left over: {tensor.name} {list(tensor.array.shape)}: {reason}"
    kinds = Counter(name.rpartition(".")[2] for name in converted.unused)
    for kind, count in kinds.items():
        yield f"left over: {count} {kind}, which only training needs"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _as_json(converted: Converted) -> dict[str, Any]:
    return {
        "layout": converted.layout,
        "weights": [_line_as_json(line) for line in converted.lines],
        "left_over": [
            {"theirs": tensor.name, "shape": list(tensor.array.shape), "reason": reason}
            for tensor, reason in converted.left_over
        ],
        "unused": list(converted.unused),
    }


def _line_as_json(line: Line) -> dict[str, Any]:
    tensor = line.source.tensor
    return {
        "ours": line.source.name,
        "shape": list(line.source.param.shape),
        "theirs": None if tensor is None else tensor.name,
        "their_shape": None if tensor is None else list(tensor.array.shape),
        "conversion": line.source.conversion.words,
        "known_by": line.how,
    }
