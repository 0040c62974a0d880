"""
A graph as a table.

It is what a person would have written: an activation and a dropout stand in the row of the operator
before them, a flattening is left to the dense row behind it, what many rows have is a column, the
rest are options, and every image's size is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from cnndsl.frontend.format import format_text
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import Number, attributes_of
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.source import Source
from cnndsl.types import TensorType

_COLUMNS: tuple[str, ...] = ("maps", "size", "kernel", "stride", "padding", "activation", "from")


@dataclass(slots=True)
class _Row:
    """A row to be written. `result` is the node that readers of the row read."""

    node: Node
    result: str
    inputs: tuple[str, ...]
    cells: dict[str, str]
    options: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def may_follow(self) -> bool:
        """Whether an activation or a dropout can stand in this row."""
        return bool(self.node.op.operands) and not isinstance(self.node.op, Activation | Dropout)


def write_table(name: str, graph: Graph, comment: str = "") -> str:
    """
    The canonical text of a network whose graph is `graph`, one row a node or less.

    Nodes' names must be names of rows. Reading the text gives the graph back, but for the names of
    activations, dropouts and flattenings that stand in other rows.

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
    rows = _rows(graph)
    columns = [c for c in _COLUMNS if any(row.cells.get(c, "-") != "-" for row in rows)]
    lines = ["cnn 1", f"network {_word(name)}", ""]
    lines += [f"# {line}".rstrip() for line in comment.splitlines()]
    lines.append("  ".join(["layer", "type", *columns]))
    for row in rows:
        cells = [row.cells.get(column, "-") for column in columns]
        while cells and cells[-1] == "-":
            cells.pop()
        options = [f"{key}={value}" for key, value in row.options.items()]
        lines.append("  ".join([row.node.name, row.node.op.row_type, *cells, *options]))
    return format_text(Source(f"{name}.cnn", "\n".join(lines) + "\n"))


def _rows(graph: Graph) -> list[_Row]:
    types = infer_types(graph)
    readers = {name: [n.name for n in nodes] for name, nodes in graph.readers().items()}
    nodes = {node.name: node for node in graph.nodes}
    rows: list[_Row] = []
    by_result: dict[str, _Row] = {}
    flattened: dict[str, str] = {}
    for node in graph.nodes:
        before = by_result.get(node.inputs[0]) if node.inputs else None
        alone = readers[node.inputs[0]] == [node.name] if node.inputs else False
        alone = alone and not (node.inputs and node.inputs[0] in graph.outputs)
        if before is not None and alone and _joined(node, before):
            del by_result[before.result]
            before.result = node.name
            by_result[node.name] = before
            continue
        if isinstance(node.op, Flatten) and _left_out(node, graph, readers, nodes, types):
            flattened[node.name] = node.inputs[0]
            continue
        inputs = tuple(flattened.get(name, name) for name in node.inputs)
        row = _Row(node, node.name, inputs, _cells(node, types))
        row.options = _options(node, row.cells)
        rows.append(row)
        by_result[node.name] = row
    _name_sources(rows, by_result)
    return rows


def _joined(node: Node, row: _Row) -> bool:
    """Whether the node found a place in the row of the node before it."""
    if not row.may_follow or "dropout" in row.options:
        return False
    if isinstance(node.op, Dropout):
        row.options["dropout"] = Number().format(node.op.rate)
        return True
    if isinstance(node.op, Activation) and row.cells["activation"] == "-":
        if node.op.name == "linear":
            return False
        row.cells["activation"] = node.op.activation
        return True
    return False


def _left_out(
    node: Node,
    graph: Graph,
    readers: Mapping[str, list[str]],
    nodes: Mapping[str, Node],
    types: Mapping[str, TensorType],
) -> bool:
    """Whether the rows that read a flattened image flatten it so by themselves."""
    assert isinstance(node.op, Flatten)
    behind = [nodes[name].op for name in readers[node.name]]
    alike = all(
        op.reads == "vector" and getattr(op, "flatten", "hwc") == node.op.order for op in behind
    )
    image = types[node.inputs[0]].is_image
    return image and bool(behind) and alike and node.name not in graph.outputs


def _cells(node: Node, types: Mapping[str, TensorType]) -> dict[str, str]:
    cells: dict[str, str] = dict.fromkeys(_COLUMNS, "-")
    type_ = types[node.name]
    cells["maps"] = f"{type_.maps:,}" if type_.maps >= 10_000 else str(type_.maps)
    if type_.is_image:
        cells["size"] = "x".join(map(str, type_.height_width))
    for attribute in attributes_of(type(node.op)):
        value = getattr(node.op, attribute.name)
        claimed = attribute.name == "size" and bool(node.op.operands)
        if attribute.name in _COLUMNS and not claimed and value is not None:
            cells[attribute.name] = attribute.kind.format(value)
    return cells


def _options(node: Node, cells: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for attribute in attributes_of(type(node.op)):
        value = getattr(node.op, attribute.name)
        column = attribute.name in cells and not (attribute.name == "size" and node.op.operands)
        if not column and (attribute.required or value != attribute.default):
            options[attribute.name] = _word(attribute.kind.format(value))
    return options


def _name_sources(rows: list[_Row], by_result: Mapping[str, _Row]) -> None:
    """Write `from` where a row does not simply read the one above."""
    for above, row in pairwise(rows):
        sources = [by_result[name].node.name for name in row.inputs]
        if sources != [above.node.name]:
            row.cells["from"] = ",".join(sources)


def _word(text: str) -> str:
    """A text as one word of the language."""
    return f'"{text}"' if any(c in ' \t#="' for c in text) else text
