"""
What a table lacks whose shapes change where no row does that.

Most often a pool was forgotten between two convolutions, a stride, in a decoder the row that makes
the image larger, or a shortcut's projection: no change of one number mends either, so `fixes.py`
does not find them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.checking import REFUSED, CheckedTable
from cnndsl.frontend.edits import set_value
from cnndsl.ops.add import Add
from cnndsl.ops.conv import Conv
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.padding import Padding
from cnndsl.ops.resize import Resize
from cnndsl.source import Span
from cnndsl.types import TensorType

_FACTORS = (2, 3, 4)
_KERNELS, _STRIDES = (1, 2, 3), (1, 2, 3, 4, 8)
_FRACTIONS = {2: "halves", 3: "takes a third of", 4: "takes a quarter of"}
_MULTIPLES = {2: "doubles", 3: "triples", 4: "quadruples"}


def missing_steps(table: CheckedTable, place: int) -> list[Fix]:
    """
    The row above a row, and the stride and padding of the row, with which its claimed size holds.

    All are tried before they are offered. None for a row in a block, which has other uses, and
    none where no factor explains the claim.
    """
    row, verdict = table.rows[place], table.verdicts[place]
    if row.uses or row.op is None or not verdict.operands or len(verdict.operands) != 1:
        return []
    ((source, type_),) = verdict.operands
    if not type_.is_image:
        return []
    for factor in _FACTORS:
        found = [*_rows_above(table, place, source, type_, factor), *_steps(table, place, factor)]
        if found:
            return found
    return []


def missing_projection(table: CheckedTable, place: int) -> list[Fix]:
    """
    The convolution of the larger of two summands that gives it the other's shape.

    So a shortcut is projected where a residual network changes its sizes (He et al. 2015, section
    3.3, option B). None for a row in a block, which has other uses.
    """
    row, operands = table.rows[place], table.verdicts[place].operands
    if row.uses or row.line is None or not isinstance(row.op, Add):
        return []
    if not operands or len(operands) != 2 or len(row.source_words) != 2:
        return []
    if not all(type_.is_image for _, type_ in operands):
        return []
    start = row.line.name.span.start
    for (source, type_), (_, wanted), word in (
        (*operands, row.source_words[0]),
        (*reversed(operands), row.source_words[1]),
    ):
        for conv in _projections(type_, wanted):
            name = _free_name(table, f"{row.name}_sc")
            what = " ".join(f"{key}={text}" for key, text in conv.items())
            text = f"{name}  {Conv.row_type}  {what} from={source}"
            between = Edit(Span(row.span.source, start, start), f"{text}\n")
            message = f"{name} for {source}, a row above that projects it, such as: {text}"
            return [Fix(message, (between, Edit(word.span, name)))]
    return []


def _projections(type_: TensorType, wanted: TensorType) -> Iterator[dict[str, str]]:
    """The attributes of convolutions that yield a type of another, the smallest filters first."""
    for kernel in _KERNELS:
        for stride in _STRIDES:
            conv = Conv(maps=wanted.maps, kernel=(kernel, kernel), stride=(stride, stride))
            if kernel <= min(type_.height_width) and conv.infer(type_) == wanted:
                sides = {"maps": f"{wanted.maps}", "kernel": f"{kernel}x{kernel}"}
                yield sides if stride == 1 else {**sides, "stride": f"{stride}"}


def _rows_above(
    table: CheckedTable, place: int, source: str, type_: TensorType, factor: int
) -> Iterator[Fix]:
    """A row between the row and the one above, where that is the row that it reads."""
    row = table.rows[place]
    if row.line is None or row.source_words or table.rows[place - 1].name != source:
        return
    height, width, maps = type_.shape
    pool = f"{MaxPool.row_type}  kernel={factor}x{factor} stride={factor}"
    larger = f"{Resize.row_type}  mode=nearest factor={factor}"
    for suffix, what, does, size in (
        ("pool", pool, _FRACTIONS, (height // factor, width // factor)),
        ("up", larger, _MULTIPLES, (height * factor, width * factor)),
    ):
        between = replace(type_, shape=(*size, maps))
        if 0 in size:
            continue
        failures = table.reading(place, ((source, between),)).failures
        if "size" in failures or REFUSED in failures:
            continue
        text = f"{_free_name(table, f'{row.name}_{suffix}')}  {what}"
        start = row.line.name.span.start
        edit = Edit(Span(row.span.source, start, start), f"{text}\n")
        yield Fix(f"a row above that {does[factor]} {height}x{width}, such as: {text}", (edit,))


def _steps(table: CheckedTable, place: int, factor: int) -> Iterator[Fix]:
    """A stride of the row's own, with the padding that keeps as much as `same` did."""
    row = table.rows[place]
    op: Any = row.op
    kernel, padding = getattr(op, "kernel", None), getattr(op, "padding", None)
    if getattr(op, "stride", None) != (1, 1) or padding is None or kernel is None:
        return
    height, width = kernel
    side = height // 2
    if padding.mode == "valid" or height != width or side == 0:
        return
    explicit = Padding("explicit", ((side, side), (side, side)))
    changed = replace(row, op=replace(op, stride=(factor, factor), padding=explicit))
    failures = table.alone(place, changed).failures
    if "size" in failures or REFUSED in failures:
        return
    edits = set_value(row, "stride", str(factor)), set_value(row, "padding", str(side))
    yield Fix(f"stride {factor} and padding {side}", edits)


def _free_name(table: CheckedTable, name: str) -> str:
    return name if name not in table.places else _free_name(table, f"{name}_")
