"""Rows as canonical `.cnn` text."""

from __future__ import annotations

from cnndsl.frontend.format import format_text
from cnndsl.frontend.tables.rows import PastedRow
from cnndsl.ops.kinds import Extent, Number
from cnndsl.source import Source

_COLUMNS = (
    *("from", "maps", "size", "kernel", "stride", "padding", "dilation", "groups"),
    *("activation", "dropout", "params", "macs"),
)
_ALWAYS = ("maps", "size")


def write_rows(name: str, rows: list[PastedRow]) -> str:
    """The text of a network of that name: a header, then a line a row."""
    columns = [column for column in _COLUMNS if any(_says(row, column) for row in rows)]
    lines = [["layer", "type", *columns]]
    for row in rows:
        cells = [_cell(row, column) for column in columns]
        lines.append([row.name, row.row_type, *cells, *_options(row, columns)])
    table = "\n".join(" ".join(line) for line in lines)
    return format_text(Source(name, f"cnn 1\nnetwork {name}\n\n{table}\n"))


def _says(row: PastedRow, column: str) -> bool:
    """Whether a row gives a column reason to exist."""
    if column == "from":
        return bool(row.reads)
    if column == "activation":
        return row.activation != "linear"
    if column == "dropout":
        return row.dropout is not None and "dropout" in row.layer.cells
    if column in _ALWAYS:
        return True
    return column in row.claims or (column in row.values and row.row_type != "lrn")


def _cell(row: PastedRow, column: str) -> str:
    if column == "from":
        return ",".join(row.reads) or "-"
    if column == "activation":
        in_column = row.row_type != "activation" and row.activation != "linear"
        return row.activation if in_column else "-"
    if column == "dropout":
        return "-" if row.dropout is None else Number().format(row.dropout)
    if column in ("params", "macs"):
        return str(row.claims.get(column, "?"))
    if column == "size" and row.row_type != "input":
        size = row.claims.get("size")
        unclaimed = "-" if row.vector else "?"
        return unclaimed if size is None else Extent().format(size)
    attribute = row.attributes.get(column)
    if attribute is None:
        return str(row.claims.get("maps", "?")) if column == "maps" else "-"
    return attribute.kind.format(row.values.get(column, attribute.default))


def _options(row: PastedRow, columns: list[str]) -> list[str]:
    """What stands in no column: every attribute that differs from its default."""
    options = [
        f"{attribute.name}={attribute.kind.format(row.values[attribute.name])}"
        for attribute in row.attributes.values()
        if attribute.name in row.values
        and row.values[attribute.name] != attribute.default
        and not _in_column(row, attribute.name, columns)
    ]
    if row.dropout is not None and "dropout" not in columns:
        options.append(f"dropout={Number().format(row.dropout)}")
    return options


def _in_column(row: PastedRow, name: str, columns: list[str]) -> bool:
    """Whether an attribute stands in its column. LRN's `size` is not the column of that name."""
    if row.row_type == "lrn" and name == "size":
        return False
    return name in columns and row.row_type != "activation"
