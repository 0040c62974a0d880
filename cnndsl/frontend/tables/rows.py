"""Layers as rows: each cell read as the value that its operator's attribute takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.errors import ValueRefused
from cnndsl.frontend.tables.cleaning import extent_text, fraction_text, number_text
from cnndsl.frontend.tables.findings import TableFindings
from cnndsl.frontend.tables.grid import Cell
from cnndsl.frontend.tables.layers import Layer, row_name
from cnndsl.frontend.vocabulary import parse_function
from cnndsl.ops.attributes import Attribute, attributes_of
from cnndsl.ops.kinds import Count, Extent, Kind, Number, parse_count
from cnndsl.ops.padding import PaddingKind
from cnndsl.ops.registry import OPERATORS

_RBF_CHOICE = (
    "RBF in the activation column is written as the row type rbf, with the Euclidean distance"
)
_LRN_FIXES = (
    "add a column Options with the paper's n=5 alpha=1e-4 beta=0.75 k=2",
    "or with the book's r=2 alpha=2e-5 beta=0.75 k=1",
)


@dataclass(slots=True)
class PastedRow:
    """
    A row while it is being read.

    `values` are its operator's attributes that the table gives, `claims` what the compiler is to
    check: `size` (height, width), `maps`, `params`, `macs`.
    """

    layer: Layer
    row_type: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    activation: str = "linear"
    dropout: float | None = None
    reads: tuple[str, ...] = ()
    vector: bool = False
    """Whether its output has no height and width."""

    @property
    def name(self) -> str:
        """The row's name in the `.cnn` table."""
        return self.layer.name

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes of its operator, by name."""
        return {a.name: a for a in attributes_of(OPERATORS[self.row_type])}


def read_row(layer: Layer, findings: TableFindings) -> PastedRow:
    """The row that a layer is, with a finding for each cell that cannot be read."""
    row = PastedRow(layer, layer.row_type)
    _read_activation(row, findings)
    for column, cell in layer.cells.items():
        if column == "options":
            for word in cell.text.split(" "):
                _read_option(row, word, cell, findings)
        elif column == "from":
            row.reads = tuple(map(row_name, re.split(r"\s*[,+]\s*", cell.text)))
        elif column == "size":
            _read_size(row, cell, findings)
        elif column == "dropout" and row.row_type != "dropout":
            row.dropout = _parse(row, column, Number(), cell, findings)
        elif column in ("params", "macs"):
            _read_count_claim(row, column, cell, findings)
        elif column == "maps" and "maps" not in row.attributes:
            row.claims["maps"] = _parse(row, column, Count(), cell, findings)
        elif column != "activation":
            _read_attribute(row, column, cell, findings)
    if layer.remark and layer.row_type == "dropout":
        row.values["rate"] = float(fraction_text(layer.remark))
    _check_complete(row, findings)
    return row


def _read_activation(row: PastedRow, findings: TableFindings) -> None:
    """The function, which for an output row may say that the row is an RBF."""
    cell = row.layer.cells.get("activation")
    word = row.layer.function or (_function(row, cell, findings) if cell else "linear")
    if word == "rbf" and row.row_type in ("dense", "rbf"):
        row.row_type = "rbf"
        findings.choose(_RBF_CHOICE, row.name)
    elif word == "rbf":
        span = cell.span if cell else row.layer.span
        findings.refuse(f"{row.row_type} has no function RBF", span, row.name, "activation")
    elif row.row_type == "activation":
        row.values["activation"] = word
    else:
        row.activation = word
    if row.row_type == "rbf":
        row.values["distance"] = "euclidean"
    row.vector = row.row_type in ("dense", "rbf", "flatten")


def _function(row: PastedRow, cell: Cell, findings: TableFindings) -> str:
    try:
        return parse_function(cell.text)
    except ValueRefused as refusal:
        findings.refuse(refusal.diagnostics[0].message, cell.span, row.name, "activation")
        return "linear"


def _read_size(row: PastedRow, cell: Cell, findings: TableFindings) -> None:
    """
    The size of the row's output.

    A fully connected row's size is its units. Papers also print the maps in it: `55x55x96`.
    """
    text = extent_text(cell.text)
    triple = re.fullmatch(r"([0-9]+)x([0-9]+)x([0-9]+)", text)
    if triple:
        text, maps = f"{triple[1]}x{triple[2]}", int(triple[3])
        if "maps" in row.layer.cells or (row.vector and text != "1x1"):
            message = f"{cell.text!r} is not a height and width such as 55x55"
            findings.refuse(message, cell.span, row.name, "size")
            return
        _units_or_claims(row)["maps"] = maps
    if not row.vector:
        known = row.values if row.row_type == "input" else row.claims
        known["size"] = _parse(row, "size", Extent(), Cell(text, cell.span), findings)
    elif not triple:
        _read_units(row, cell, findings)


def _read_units(row: PastedRow, cell: Cell, findings: TableFindings) -> None:
    """The units of a row that yields a vector, printed in its size column."""
    units = parse_count(number_text(cell.text))
    maps = row.layer.cells.get("maps")
    printed = parse_count(number_text(maps.text)) if maps else None
    if cell.text in ("1", extent_text("1x1")) or units == printed:
        return
    if units is None:
        findings.refuse(f"{cell.text!r} is not a number of units", cell.span, row.name, "size")
    elif printed not in (None, 1):
        message = f"the maps say {printed} units, and the size says {units}"
        findings.refuse(message, cell.span, row.name, "size")
    else:
        _units_or_claims(row)["maps"] = units


def _units_or_claims(row: PastedRow) -> dict[str, Any]:
    """Where maps belong: to the attributes of an operator that has them, else to the claims."""
    return row.values if "maps" in row.attributes else row.claims


def _read_attribute(row: PastedRow, column: str, cell: Cell, findings: TableFindings) -> None:
    name = "rate" if column == "dropout" else column
    attribute = row.attributes.get(name)
    if attribute is None:
        message = f"{cell.text!r} is left out: a row of type {row.row_type} has no {column}"
        findings.leave_out(message, cell.span, row.name, column)
    elif name not in row.values:
        value = _parse(row, column, attribute.kind, cell, findings)
        if value is not None:
            row.values[name] = value
            if row.row_type == "input" and "bgr" in cell.text.lower():
                row.values["channels"] = "bgr"


def _read_option(row: PastedRow, word: str, cell: Cell, findings: TableFindings) -> None:
    name, equals, text = word.partition("=")
    known = {alias: a for a in row.attributes.values() for alias in (a.name, *a.aliases)}
    if name == "dropout" and row.row_type != "dropout":
        row.dropout = _parse(row, name, Number(), Cell(text, cell.span), findings)
    elif name in known and equals:
        attribute = known[name]
        value = _parse(row, name, attribute.kind, Cell(text, cell.span), findings)
        row.values[attribute.name] = value
    else:
        findings.leave_out(f"{word!r} is left out: it is no option", cell.span, row.name)


def _read_count_claim(row: PastedRow, column: str, cell: Cell, findings: TableFindings) -> None:
    count = parse_count(number_text(cell.text))
    if count is None:
        message = f"{cell.text!r} is left out: it is not an exact number"
        findings.leave_out(message, cell.span, row.name, column)
    else:
        row.claims[column] = count


def _parse(row: PastedRow, column: str, kind: Kind, cell: Cell, findings: TableFindings) -> Any:
    """The cell's value, or None with a finding."""
    text = cell.text
    if isinstance(kind, Count):
        text = number_text(text)
    elif isinstance(kind, Extent | PaddingKind):
        text = extent_text(text)
    elif isinstance(kind, Number):
        text = fraction_text(text)
    try:
        return kind.parse(text)
    except ValueRefused as refusal:
        findings.refuse(refusal.diagnostics[0].message, cell.span, row.name, column)
        return None


def _check_complete(row: PastedRow, findings: TableFindings) -> None:
    """Report what the row needs, the table does not give and no size can tell."""
    given = {*row.values, *row.layer.cells}
    needed = [a.name for a in row.attributes.values() if a.required and a.name not in given]
    windows = {a.name for a in row.attributes.values() if a.group == "window"}
    # LRN's window may be called size, which is no column of that name.
    window = windows & row.values.keys()
    if row.row_type == "lrn" and (needed or not window):
        missing = ", ".join([*needed, *([] if window else ["its window"])])
        message = f"local response normalization needs {missing}, which the table does not give"
        findings.refuse(message, row.layer.span, row.name, fixes=_LRN_FIXES)
        return
    for name in needed:
        if name != "stride":
            message = f"a row of type {row.row_type} needs {name}, which the table does not give"
            fix = f"a column Options with {name}=...: {row.attributes[name].doc}"
            findings.refuse(message, row.layer.span, row.name, fixes=[fix])
