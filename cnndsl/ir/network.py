"""A network: the rows of a table, their graph and what was inferred of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from cnndsl.errors import CnnError, Diagnostic
from cnndsl.ir import cost
from cnndsl.ir.graph import DiGraph, Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ir.node import Node
from cnndsl.ir.signature import Output, Signature
from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Best, Op, Param
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.input import Input
from cnndsl.source import Source, Span
from cnndsl.types import TensorType

if TYPE_CHECKING:
    from cnndsl.ir.summary import Summary


@dataclass(frozen=True, slots=True)
class Use:
    """A row of the type of a block: the block's rows stand for it."""

    block: str
    row: str
    span: Span

    def __str__(self) -> str:
        return f"in block {self.block}, used by row {self.row} at {self.span}"


@dataclass(frozen=True)
class Row:
    """
    One row of the table, or of a block where a row of the table uses one.

    `name` is its address: `R2.1.c3` is the row c3 of the block that R2 repeats, the first time.
    `op` is its operator; `nodes` are the names of all graph nodes that it became, the operator's
    own (called like the row) and those of its norm, activation and dropout, in order. `cells` gives
    the place of each column's cell or option in the text. `uses` are the blocks that it stands in,
    the innermost last.
    """

    name: str
    op: Op
    nodes: tuple[str, ...]
    span: Span | None = None
    cells: Mapping[str, Span] = field(default_factory=dict[str, Span])
    uses: tuple[Use, ...] = ()

    @property
    def result(self) -> str:
        """The node whose value readers of the row read."""
        return self.nodes[-1]


@dataclass(frozen=True)
class RowFacts:
    """What is known of a row: `network["C1"]`."""

    row: Row
    type: TensorType
    operands: tuple[TensorType, ...]
    params: int
    macs: int

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def op(self) -> Op:
        """The row's operator with its attributes."""
        return self.row.op

    @property
    def shape(self) -> tuple[int, ...]:
        """One image's output: `(height, width, maps)`, or `(features,)` for a vector."""
        return self.type.shape


@dataclass(frozen=True)
class BlockRow:
    """
    A row of the type of a block, or one repetition of it (`R2.1`).

    `rows` are the rows that it became, by name and in order, those of blocks in it too; `result` is
    the node whose value its readers read, `operand` the one that it reads.
    """

    name: str
    block: str
    rows: tuple[str, ...]
    result: str
    operand: str
    span: Span
    cells: Mapping[str, Span] = field(default_factory=dict[str, Span])
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True)
class BlockFacts:
    """What is known of a row of the type of a block: `network["R1"]`. Costs are those of all."""

    row: BlockRow
    rows: tuple[RowFacts, ...]
    type: TensorType
    operand: TensorType

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def shape(self) -> tuple[int, ...]:
        """One image's output: `(height, width, maps)`, or `(features,)` for a vector."""
        return self.type.shape

    @property
    def params(self) -> int:
        """Numbers that the weights of its rows hold."""
        return sum(facts.params for facts in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of its rows for one image."""
        return sum(facts.macs for facts in self.rows)


@dataclass(frozen=True)
class Network:
    """
    A checked network.

    `rows` are those with an operator, blocks expanded; `blocks` are the rows that they stand for.
    `ir` is the graph that the compiler works on, `outputs` names the rows, or blocks, whose values
    are its outputs, `warnings` what was found that is no error.
    `source` is the text as it was read, `whole` one that needs no other files, where that differs.
    """

    name: str
    rows: tuple[Row, ...]
    ir: Graph
    outputs: tuple[str, ...]
    source: Source
    warnings: tuple[Diagnostic, ...] = ()
    blocks: tuple[BlockRow, ...] = ()
    whole: Source | None = None

    @cached_property
    def types(self) -> dict[str, TensorType]:
        """The type of every graph node's value, by node name."""
        return infer_types(self.ir)

    @property
    def graph(self) -> DiGraph:
        """
        The network as a `networkx.DiGraph`, from producers to readers.

        A node's data: `op` (the operator), `type` (a `TensorType`), `row` (its row's name) and
        `span` (its place in the text).
        """
        flow = self.ir.to_networkx()
        for name, type_ in self.types.items():
            flow.nodes[name]["type"] = type_
        return flow

    @cached_property
    def param_table(self) -> dict[str, Param]:
        """Every parameter by its full name, such as `C1.weight`."""
        return cost.graph_params(self.ir, self.types)

    @property
    def params(self) -> int:
        """Numbers that the weights hold, fixed ones included."""
        return sum(param.count for param in self.param_table.values())

    @property
    def trainable_params(self) -> int:
        """Numbers that training changes."""
        return sum(param.count for param in self.param_table.values() if param.trainable)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return sum(cost.node_macs(node, self.types) for node in self.ir.nodes)

    @cached_property
    def signature(self) -> Signature:
        """What a caller gives and gets: the input rows' operators and the outputs' types."""
        inputs = {node.row: node.op for node in self.ir.inputs if isinstance(node.op, Input)}
        outputs = zip(self.outputs, self.ir.outputs, strict=True)
        return Signature(
            inputs,
            {name: Output(self.types[node], self._best(node)) for name, node in outputs},
        )

    @property
    def names_outputs(self) -> bool:
        """Whether its outputs are others than what tables have without a word: the last row."""
        return self.ir.outputs != (self.rows[-1].result,)

    @property
    def input(self) -> Input:
        """The only input row's operator, which says what a picture needs."""
        return self.signature.input

    @property
    def output_type(self) -> TensorType:
        """The type of the only output."""
        return self.signature.output.type

    def _best(self, name: str) -> Best:
        node = self._nodes_by_name[name]
        # None of these changes which number is the smallest or the largest.
        while isinstance(node.op, Activation | Dropout | Flatten):
            node = self._nodes_by_name[node.inputs[0]]
        return node.op.best

    def summary(self) -> Summary:
        """The rows with their sizes and costs, and the totals: a table to print."""
        # Imported here, as for the drawing: both look at networks.
        from cnndsl.ir.summary import summarise

        return summarise(self)

    def _repr_html_(self) -> str:
        from cnndsl.ir.draw import draw_svg

        return f"{self.summary().to_html()}{draw_svg(self)}"

    def nodes_of(self, row: Row) -> list[Node]:
        """The graph nodes that a row became."""
        return [self._nodes_by_name[name] for name in row.nodes]

    @cached_property
    def _nodes_by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.ir.nodes}

    @cached_property
    def _rows_by_name(self) -> dict[str, Row]:
        return {row.name: row for row in self.rows}

    def __iter__(self) -> Iterator[RowFacts]:
        return (self.facts(row.name) for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows_by_name or name in self._blocks_by_name

    @cached_property
    def _blocks_by_name(self) -> dict[str, BlockRow]:
        return {row.name: row for row in self.blocks}

    def __getitem__(self, name: str) -> RowFacts | BlockFacts:
        key = str(name)  # a slice, say, could not be looked for
        if key in self._rows_by_name:
            return self.facts(key)
        block = self._blocks_by_name.get(key)
        if block is None:
            top = [row.name for row in (*self.rows, *self.blocks) if not row.uses]
            # Imported here: a name that is right does not need it.
            from difflib import get_close_matches

            known = [*self._rows_by_name, *self._blocks_by_name]
            cased = [row for row in known if row.lower() == str(name).lower()]
            near = cased or get_close_matches(str(name), known, 2)
            raise CnnError(
                f"{self.name} has no row {name!r}; its rows are {', '.join(top)}",
                code="E111",
                fixes=[f"did you mean {row}?" for row in near]
                or [f"one of them, such as {top[-1]}"],
            )
        return BlockFacts(
            block,
            tuple(map(self.facts, block.rows)),
            self.types[block.result],
            self.types[block.operand],
        )

    def facts(self, name: str) -> RowFacts:
        """What is known of a row that has an operator. Raises `KeyError` for any other name."""
        row = self._rows_by_name[name]
        nodes = self.nodes_of(row)
        main = self._nodes_by_name[row.name]
        return RowFacts(
            row,
            self.types[row.result],
            tuple(self.types[i] for i in main.inputs),
            sum(p.count for n in nodes for p in cost.node_params(n, self.types).values()),
            sum(cost.node_macs(node, self.types) for node in nodes),
        )
