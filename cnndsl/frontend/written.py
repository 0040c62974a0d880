"""The rows that a graph is written as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.base import Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.kinds import Number
from cnndsl.ops.norm_kind import NormKind
from cnndsl.ops.rescalable import Rescalable
from cnndsl.ops.separable import Separable
from cnndsl.types import TensorType

COLUMNS: tuple[str, ...] = ("maps", "size", "kernel", "stride", "padding", "norm", "activation")
"""What many rows have; everything else is an option."""


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """
    A row to be written.

    `cells` and `options` say what it computes, `claims` what comes of it; `sources` are the rows
    that it reads. `addresses` has, for each node that it was made of, where that one's weights are
    now: within this row, empty where they are its own. Cells that are `defaults` need not be
    written.
    """

    name: str
    row_type: str
    cells: Mapping[str, str]
    claims: Mapping[str, str]
    options: Mapping[str, str]
    sources: tuple[str, ...]
    addresses: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def kind(self) -> tuple[object, ...]:
        """All that it computes but for its sizes: what must be the same in rows of one block."""
        words = {key: text for key, text in self.cells.items() if key in ("norm", "activation")}
        return self.row_type, *self.cells, *words.items(), *self.options.items()

    def address(self, node: str) -> str:
        """Where the weights are of a node that it was made of: `C1`, `C1.norm`."""
        within = self.addresses[node]
        return f"{self.name}.{within}" if within else self.name


@dataclass(slots=True)
class _Growing:
    """A row that may still take in the nodes behind its own; readers read `result`."""

    op: Op
    row: WrittenRow
    result: str
    inputs: tuple[str, ...]
    stage: int = 0
    """How far it is: 1 behind its normalization, 2 behind its activation, 3 behind its dropout."""


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """A graph's rows, in order, and the names of those that are its outputs."""

    rows: tuple[WrittenRow, ...]
    outputs: tuple[str, ...]


def written_rows(graph: Graph, *, norms: bool = False) -> WrittenRows:
    """
    A graph's rows, one a node or less.

    Activations and dropouts stand in the row of the operator before them, and with `norms`, batch
    normalizations too. A flattening is left to the row behind it where that one does the same.
    """
    types = infer_types(graph)
    readers = graph.readers()
    rows: list[_Growing] = []
    by_result: dict[str, _Growing] = {}
    flattened: dict[str, str] = {}
    for node in graph.nodes:
        before = by_result.get(node.inputs[0]) if node.inputs else None
        if before is not None and _alone(node, readers, graph) and _joined(node, before, norms):
            del by_result[before.result]
            before.result = node.name
            by_result[node.name] = before
        elif isinstance(node.op, Flatten) and _left_out(node, readers, graph, types):
            flattened[node.name] = node.inputs[0]
        else:
            inputs = tuple(flattened.get(name, name) for name in node.inputs)
            rows.append(_Growing(node.op, _row(node, types), node.name, inputs))
            by_result[node.name] = rows[-1]
    names = {result: row.row.name for result, row in by_result.items()}
    return WrittenRows(
        tuple(replace(r.row, sources=tuple(names[name] for name in r.inputs)) for r in rows),
        tuple(names[name] for name in graph.outputs),
    )


def _alone(node: Node, readers: Mapping[str, list[Node]], graph: Graph) -> bool:
    """Whether nobody else reads what the node reads."""
    (first, *_) = node.inputs
    return [n.name for n in readers[first]] == [node.name] and first not in graph.outputs


def _joined(node: Node, row: _Growing, norms: bool) -> bool:
    """Whether the node found a place in the row of the node before it."""
    if not row.op.operands or isinstance(row.op, Activation | Dropout):
        return False
    cells, options = dict(row.row.cells), dict(row.row.options)
    addresses = dict(row.row.addresses)
    match node.op:
        case BatchNorm() if norms and row.stage < 1 and _takes_norm(row.op, node.op):
            cells["norm"] = NormKind().format(node.op)
            addresses[node.name] = "norm"
            # With a normalization behind it, a row has no bias unless it says so.
            if getattr(row.op, "bias", False):
                options["bias"] = "yes"
            else:
                options.pop("bias", None)
            row.stage = 1
        case Activation() if row.stage < 2 and node.op.name != "linear":
            cells["activation"] = node.op.activation
            row.stage = 2
        case Dropout() if row.stage < 3:
            options["dropout"] = Number().format(node.op.rate)
            row.stage = 3
        case _:
            return False
    row.row = replace(row.row, cells=cells, options=options, addresses=addresses)
    return True


def _takes_norm(op: Op, norm: BatchNorm) -> bool:
    return isinstance(op, Rescalable | Separable) and norm.scale and norm.bias


def _left_out(
    node: Node,
    readers: Mapping[str, list[Node]],
    graph: Graph,
    types: Mapping[str, TensorType],
) -> bool:
    """Whether the rows that read a flattened image flatten it so by themselves."""
    assert isinstance(node.op, Flatten)
    behind = [reader.op for reader in readers[node.name]]
    alike = all(
        op.reads == "vector" and getattr(op, "flatten", "hwc") == node.op.order for op in behind
    )
    image = types[node.inputs[0]].is_image
    return image and bool(behind) and alike and node.name not in graph.outputs


def _row(node: Node, types: Mapping[str, TensorType]) -> WrittenRow:
    """A node as a row of its own."""
    type_ = types[node.name]
    claims = {"maps": f"{type_.maps:,}" if type_.maps >= 10_000 else str(type_.maps)}
    if type_.is_image:
        claims["size"] = "x".join(map(str, type_.height_width))
    cells: dict[str, str] = {}
    options: dict[str, str] = {}
    for attribute in attributes_of(type(node.op)):
        value = getattr(node.op, attribute.name)
        # The column `size` claims the size of an image: an attribute of that name is an option.
        claimed = attribute.name == "size" and bool(node.op.operands)
        if attribute.name in COLUMNS and not claimed:
            if value is not None:
                cells[attribute.name] = attribute.kind.format(value)
        elif attribute.required or value != attribute.default:
            options[attribute.name] = word(attribute.kind.format(value))
    return WrittenRow(node.name, node.op.row_type, cells, claims, options, (), {node.name: ""})


def word(text: str) -> str:
    """A text as one word of the language."""
    return f'"{text}"' if any(c in ' \t#="' for c in text) else text
