"""A grid of cells as layers: header, order, names, types and values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cnndsl.errors import LimitError, ValueRefused
from cnndsl.frontend.tables.cleaning import says_nothing
from cnndsl.frontend.tables.findings import TableFindings
from cnndsl.frontend.tables.grid import Cell, Grid
from cnndsl.frontend.vocabulary import (
    COLUMNS,
    ROW_NAMES,
    ROW_TYPES,
    parse_function,
)
from cnndsl.limits import Limits
from cnndsl.source import Source, Span

_HEADER_FIX = "begin with a row such as: Layer, Type, Maps, Size, Kernel size, Stride, Activation"
_KEYWORDS = ("cnn", "network", "outputs", "layer", "include", "block", "end")
_INITIALS = {"conv": "C", "lrn": "N", "dense": "F", "rbf": "F"}


@dataclass(frozen=True, slots=True)
class Layer:
    """
    One layer with the cells that say something, by column.

    `function` is the function of an activation row, whose type is the function's name.
    """

    name: str
    row_type: str
    span: Span
    cells: Mapping[str, Cell] = field(default_factory=dict[str, Cell])
    function: str | None = None
    remark: str = ""


def read_layers(source: Source, grid: Grid, limits: Limits, findings: TableFindings) -> list[Layer]:
    """The layers, input first, whichever way the table is printed."""
    header = next((line for line in grid.lines if _is_header(line)), None)
    if header is None:
        findings.refuse(
            "no row names the table's columns",
            _span(grid.lines[0]) if grid.lines else Span(source, 0, 0),
            fixes=[_HEADER_FIX],
        )
        return []
    columns = _columns(header, findings)
    at = grid.lines.index(header)
    for span in (*grid.outside, *(_span(line) for line in grid.lines[:at])):
        findings.leave_out("this line is no part of the table and is left out", span)
    lines = [
        line
        for line in grid.lines[at + 1 :]
        if any(cell.text for cell in line) and _texts(line) != _texts(header)
    ]
    if len(lines) > limits.rows:
        message = f"the table has {len(lines):,} rows, and the limit is {limits.rows:,}"
        raise LimitError(message, code="E302", span=_span(lines[limits.rows]))
    records = [_record(line, columns, header, findings) for line in lines]
    layers: list[Layer] = []
    for record, line in zip(records, lines, strict=True):
        if findings.full:
            break
        layer = _typed(record, _span(line), findings)
        layers += [layer] if layer else []
    return _named(_input_first(layers, findings, _span(header)), findings)


def _is_header(line: tuple[Cell, ...]) -> bool:
    """Whether a line names two columns or more, the layer's or its type's among them."""
    known = {COLUMNS.find(cell.text) for cell in line} - {None}
    return len(known) >= 2 and bool(known & {"layer", "type"})


def _columns(header: tuple[Cell, ...], findings: TableFindings) -> list[str | None]:
    """The meaning of each column; None for one that is left out."""
    columns: list[str | None] = []
    for cell in header:
        meaning = COLUMNS.find(cell.text) if cell.text else "options"
        if meaning in columns and cell.text:
            findings.refuse(f"two columns say {meaning}", cell.span, column=cell.text)
        if meaning is None:
            near = COLUMNS.near(cell.text)
            guess = f"; did you mean {' or '.join(near)}?" if near else ""
            findings.leave_out(f"the column {cell.text!r} is left out{guess}", cell.span)
        columns.append(None if meaning in columns else meaning)
    return columns


def _record(
    line: tuple[Cell, ...],
    columns: list[str | None],
    header: tuple[Cell, ...],
    findings: TableFindings,
) -> dict[str, Cell]:
    """The cells that say something, by column."""
    surplus = [cell for cell in line[len(columns) :] if cell.text]
    if surplus:
        findings.refuse(
            f"the row has {len(line)} cells, and the header names {len(header)} columns",
            surplus[0].span,
            row=line[0].text,
            fixes=['a comma within a cell, as in 1,000, needs quotes in CSV: "1,000"'],
        )
    return {
        column: cell
        for column, cell in zip(columns, line, strict=False)
        if column is not None and not says_nothing(cell.text)
    }


def _typed(record: dict[str, Cell], span: Span, findings: TableFindings) -> Layer | None:
    """The layer that a record is, still by the name that it has in the table."""
    layer = record.pop("layer", None)
    name = layer.text if layer else ""
    cell = record.pop("type", None) or layer
    if cell is None:
        findings.refuse("the row has neither a name nor a type", span)
        return None
    # "Dropout (0.5)" and "conv3" say more than the type, "FC 6" names the layer as well.
    word = re.sub(r"[\s(]*[0-9.%]*\)?$", "", cell.text) or cell.text
    for candidate in (cell.text, word):
        row_type = ROW_TYPES.find(candidate)
        function = _function(candidate) if row_type is None else None
        if row_type or function:
            remark = cell.text[len(word) :].strip(" ()")
            kind = row_type or "activation"
            return Layer(name, kind, span, record, function, remark)
    near = ROW_TYPES.near(cell.text)
    findings.refuse(
        f"{cell.text!r} is no type of layer",
        cell.span,
        row=name or None,
        column="type",
        fixes=[f"did you mean {' or '.join(near)}?"] if near else [],
    )
    return None


def _function(text: str) -> str | None:
    """The activation function that a row's type is the name of."""
    try:
        return parse_function(text)
    except ValueRefused:
        return None


def _input_first(layers: list[Layer], findings: TableFindings, header: Span) -> list[Layer]:
    """The layers in the order in which an image passes them."""
    inputs = [i for i, layer in enumerate(layers) if layer.row_type == "input"]
    if not inputs:
        findings.refuse(
            "the table has no input row",
            layers[0].span if layers else header,
            fixes=["add a row such as: In, Input, 3, 227x227"],
        )
    elif inputs[-1] not in (0, len(layers) - 1) or len(inputs) > 1:
        findings.refuse(
            "one input row must be the table's first or its last", layers[inputs[-1]].span
        )
    elif inputs == [len(layers) - 1]:
        return layers[::-1]
    return layers


def _named(layers: list[Layer], findings: TableFindings) -> list[Layer]:
    """The layers with names that a `.cnn` table can have, no two alike."""
    taken: dict[str, Span] = {}
    named: list[Layer] = []
    for position, layer in enumerate(layers):
        if findings.full:
            break
        name = row_name(layer.name)
        if not name:
            name = _invented_name(layer.row_type, position)
            findings.choose("the table does not name this layer", name)
        if name in taken:
            findings.refuse(
                f"another row is called {name} too (line {taken[name].line})", layer.span, row=name
            )
        taken[name] = layer.span
        named.append(replace(layer, name=name))
    return named


def _invented_name(row_type: str, position: int) -> str:
    """A name in LeCun's manner: C for a convolution, S for subsampling, then the position."""
    if row_type == "input":
        return "In"
    return f"{_INITIALS.get(row_type, 'S' if 'pool' in row_type else 'L')}{position}"


def row_name(text: str) -> str:
    """
    A layer's printed name as a row's: what is no letter, digit or hyphen becomes one underscore.

    >>> row_name("conv 1-1"), row_name("1st"), row_name("출력층"), row_name("–")
    ('conv_1-1', 'L1st', 'Out', '')
    """
    common = ROW_NAMES.find(text)
    if common:
        return common
    name = re.sub(r"[^\w-]+", "_", text).strip("_-")
    taken = name[:1].isdigit() or name.lower() in _KEYWORDS
    return f"L{name}" if taken else name


def _texts(line: tuple[Cell, ...]) -> list[str]:
    return [cell.text for cell in line]


def _span(line: tuple[Cell, ...]) -> Span:
    return Span(line[0].span.source, line[0].span.start, line[-1].span.end)
