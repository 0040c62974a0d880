"""
A graph as a table.

It is what a person would have written: normalization, activation and dropout stand in the row of
the operator before them, a flattening is left to the dense row behind it, what many rows have is a
column, the rest are options, every image's size is claimed, and rows that repeat are a block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cnndsl.frontend.folding import Folded, FoldedBlock, fold_rows
from cnndsl.frontend.format import format_text
from cnndsl.frontend.written import COLUMNS, WrittenRow, word, written_rows
from cnndsl.ir.graph import Graph
from cnndsl.ops.input import Input
from cnndsl.source import Source

T = TypeVar("T")


@dataclass(frozen=True)
class WrittenTable:
    """
    A table, and where the weights of the graph's nodes are in it.

    A node's `conv2.weight` is the table's `R1.c1.weight` where `addresses` maps `conv2` to `R1.c1`.
    """

    text: str
    addresses: Mapping[str, str]

    def renamed(self, weights: Mapping[str, T]) -> dict[str, T]:
        """The weights of the graph's nodes under the names that they have in the table."""
        parts = ((name.rpartition("."), weight) for name, weight in weights.items())
        return {f"{self.addresses[node]}.{param}": w for (node, _, param), w in parts}


def write_table(name: str, graph: Graph, comment: str = "") -> str:
    """
    The canonical text of a network whose graph is `graph`, one row a node or less.

    Nodes' names must be names of rows, and outputs different nodes. Reading the text gives the
    graph back, but for the names of activations, dropouts and flattenings that stand in other rows.

    >>> from cnndsl.ir.node import Node
    >>> from cnndsl.ops.text import parse_op
    >>> nodes = [("In", "input maps=1 size=8", ()), ("C1", "conv maps=2 kernel=3", ("In",))]
    >>> nodes.append(("act", "activation activation=relu", ("C1",)))
    >>> graph = Graph(tuple(Node(n, parse_op(op), reads, n) for n, op, reads in nodes), ("act",))
    >>> print(write_table("Small", graph), end="")
    cnn 1
    network Small
    <BLANKLINE>
    layer  type   maps  size  kernel  stride  padding  activation
    In     input  1     8x8
    C1     conv   2     6x6   3x3     1       valid    relu
    """
    written = written_rows(graph)
    return _text(name, comment, Folded((), written.rows, written.outputs))


def write_folded_table(name: str, graph: Graph, comment: str = "") -> WrittenTable:
    """
    As `write_table`, with normalizations in rows' cells and with blocks for rows that repeat.

    The nodes' names are others then.
    """
    written = written_rows(graph, norms=True)
    folded = fold_rows(written.rows, written.outputs)
    addresses = {node: row.address(node) for row in folded.rows for node in row.addresses}
    return WrittenTable(_text(name, comment, folded), addresses)


def _text(name: str, comment: str, table: Folded) -> str:
    lines = ["cnn 1", f"network {word(name)}"]
    last = table.rows[-1]
    if table.outputs != (last.name,) or last.row_type == Input.row_type:
        lines.append(f"outputs {', '.join(table.outputs)}")
    lines.append("")
    lines += [f"# {line}".rstrip() for line in comment.splitlines()]
    for block in table.blocks:
        lines += [
            "",
            f"block {block.name}{_parameters(block)}",
            *_rows(block.rows, "in"),
            "end",
            "",
        ]
    lines += _rows(table.rows, None)
    return format_text(Source(f"{name}.cnn", "\n".join(lines) + "\n"))


def _parameters(block: FoldedBlock) -> str:
    if not block.parameters:
        return ""
    texts = [name if value is None else f"{name}={value}" for name, value in block.parameters]
    return f"({', '.join(texts)})"


def _rows(rows: Sequence[WrittenRow], above: str | None) -> list[str]:
    """A table: its header and its rows, the first of which reads `above` unless it says so."""
    shown: list[dict[str, str]] = []
    for row in rows:
        needed = {k: text for k, text in row.cells.items() if row.defaults.get(k) != text}
        cells = dict(row.claims) | dict.fromkeys(row.cells, "-") | needed
        if row.sources and row.sources != (above,):
            cells["from"] = ",".join(row.sources)
        shown.append(cells)
        above = row.name
    columns = [c for c in (*COLUMNS, "from") if any(cells.get(c, "-") != "-" for cells in shown)]
    lines = ["  ".join(["layer", "type", *columns])]
    for row, cells in zip(rows, shown, strict=True):
        words = [cells.get(column, "-") for column in columns]
        while words and words[-1] == "-":
            words.pop()
        more = {key: text for key, text in cells.items() if key not in columns and text != "-"}
        options = [f"{key}={text}" for key, text in (more | dict(row.options)).items()]
        lines.append("  ".join([row.name, row.row_type, *words, *options]))
    return lines
