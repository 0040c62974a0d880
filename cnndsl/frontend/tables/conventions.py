"""What a printed table leaves unsaid: strides, padding and the conventions of frameworks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from cnndsl.errors import CnnError
from cnndsl.frontend.tables.findings import TableFindings
from cnndsl.frontend.tables.rows import PastedRow
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.conv import Conv
from cnndsl.ops.padding import Padding
from cnndsl.ops.pool import Pool
from cnndsl.ops.registry import OPERATORS
from cnndsl.types import TensorType, f32

_CHOICES = {
    "rounding": "the printed size needs a last window that overhangs: rounding=ceil is written",
    "divisor": "frameworks divide the border's windows differently: divisor=inside is written, as "
    "in Keras",
}


def settle(rows: list[PastedRow], findings: TableFindings) -> None:
    """
    Complete the rows, each by the first convention under which its printed size comes true.

    What is chosen is noted. Where none fits, the first that works stands, and the checker will
    explain the size's arithmetic.
    """
    types: dict[str, TensorType | None] = {}
    above: tuple[str, ...] = ()
    for row in rows:
        operands = [types.get(name) for name in row.reads or above]
        known = [operand for operand in operands if operand is not None]
        _settle_row(row, known, findings)
        y = _type_of(row, known)
        if y is not None and not y.is_image and not row.vector:
            _settle_vector(row, y)
        types[row.name] = y
        above = (row.name,)


def _settle_row(row: PastedRow, operands: list[TensorType], findings: TableFindings) -> None:
    candidates = list(_candidates(row))
    results = [(values, _infer(row.row_type, values, operands)) for values in candidates]
    claim = row.claims.get("size")
    fitting = [values for values, y in results if y and _agrees(y, claim)]
    working = [values for values, y in results if y]
    chosen = [*fitting, *working, *candidates][0]
    for name, value in chosen.items():
        # Nobody asks for a pool's rounding or divisor where the usual one is right.
        usual = name in _CHOICES and value == row.attributes[name].default
        if row.values.get(name) != value and not usual:
            findings.choose(_choice(row, name, value), row.name)
    row.values = chosen


def _settle_vector(row: PastedRow, y: TensorType) -> None:
    """A function or a dropout of a vector: what is printed as its size is its number of units."""
    row.vector = True
    if row.claims.get("size") == (y.size, y.size):
        del row.claims["size"]


def _candidates(row: PastedRow) -> Iterator[dict[str, Any]]:
    """The row's values with what it leaves unsaid, the likeliest first."""
    unsaid: dict[str, list[Any]] = {}
    operator = OPERATORS[row.row_type]
    if issubclass(operator, Pool):
        unsaid["rounding"] = ["floor", "ceil"]
    if issubclass(operator, Pool | Conv):
        kernel = row.values.get("kernel", (1, 1))
        unsaid["stride"] = [kernel, (2, 2), (1, 1)] if issubclass(operator, Pool) else [(1, 1)]
        unsaid["padding"] = [Padding("valid"), Padding("same"), Padding("same_upper")]
    if issubclass(operator, AvgPool):
        unsaid["divisor"] = [None, "inside"]
    for name in unsaid:
        if name in row.values:
            unsaid[name] = [row.values[name]]
    if row.values.get("padding") == Padding("same"):
        unsaid["padding"] = [Padding("same"), Padding("same_upper")]
    for values in product(*unsaid.values()):
        yield {**row.values, **dict(zip(unsaid, values, strict=True))}


def _choice(row: PastedRow, name: str, value: Any) -> str:
    """A choice in words, the same for all rows where the same was chosen."""
    text = row.attributes[name].kind.format(value)
    if name in row.values:
        return f"{name} `same` adds an odd number of cells: {text} is written, as in Keras"
    if name in _CHOICES:
        return _CHOICES[name]
    return f"the table does not say the {name}: {text} is written"


def _infer(
    row_type: str, values: Mapping[str, Any], operands: list[TensorType]
) -> TensorType | None:
    """What a row yields of its operands; None where that is not known or not right."""
    operator = OPERATORS[row_type]
    if operator.reads == "vector":
        operands = [f32(operand.size) for operand in operands]
    try:
        return operator(**values).infer(*operands) if operator.takes(len(operands)) else None
    except CnnError:
        return None


def _agrees(y: TensorType, claim: Any) -> bool:
    return claim is None or (y.is_image and y.height_width == claim)


def _type_of(row: PastedRow, operands: list[TensorType]) -> TensorType | None:
    """The row's output as the table prints it or, where it does not, as it follows."""
    result = _infer(row.row_type, row.values, operands)
    if row.vector or (result is not None and not result.is_image):
        return result
    maps = result.maps if result is not None else row.claims.get("maps")
    if "size" in row.claims and maps:
        return f32(*row.claims["size"], maps)
    return result
