"""What a network is and costs, row by row, as a table to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from cnndsl.ir import cost
from cnndsl.ir.network import Network, Row
from cnndsl.limits import format_bytes
from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Op
from cnndsl.ops.text import format_op
from cnndsl.source import text_cells

HEADINGS = ("row", "type", "output", "params", "MACs", "memory", "values")
NUMBERS = ("params", "MACs", "memory")
"""The headings of the columns that hold numbers."""


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """
    One row of the table: its output and what it costs for one image.

    `values` says the operator's attributes and what else the row does, `conventions` what that
    comes to where frameworks differ. `activation_bytes` is the size of the row's output.
    """

    name: str
    row_type: str
    values: str
    conventions: tuple[str, ...]
    shape: tuple[int, ...]
    params: int
    macs: int
    activation_bytes: int

    @property
    def cells(self) -> tuple[str, ...]:
        """The row's cells under `HEADINGS`."""
        return (
            self.name,
            self.row_type,
            "x".join(map(str, self.shape)),
            f"{self.params:,}" if self.params else "-",
            f"{self.macs:,}" if self.macs else "-",
            format_bytes(self.activation_bytes),
            self.values,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """
    A network's rows and its totals. Printing it gives a table; Jupyter shows one.

    `ends` say which rows are its inputs and outputs, where these are more than the first and the
    last. `peak_bytes` is the most that the activations of one image take at once.
    """

    name: str
    rows: tuple[SummaryRow, ...]
    ends: tuple[str, ...]
    params: int
    trainable_params: int
    macs: int
    weight_bytes: int
    peak_bytes: int

    @property
    def totals(self) -> str:
        """The sums, in one line."""
        fixed = self.params - self.trainable_params
        return (
            f"{self.params:,} parameters"
            + (f" ({fixed:,} of them fixed)" if fixed else "")
            + f", {format_bytes(self.weight_bytes)} of weights; {self.macs:,} MACs an image; "
            f"activations {format_bytes(self.peak_bytes)} at their peak"
        )

    @property
    def conventions(self) -> list[str]:
        """What the rows resolved where frameworks differ, equal lines together."""
        rows: dict[str, list[str]] = {}
        for row in self.rows:
            for line in row.conventions:
                rows.setdefault(line, []).append(row.name)
        return [f"{', '.join(names)}: {line}" for line, names in rows.items()]

    def __str__(self) -> str:
        table = align_columns([HEADINGS, *(row.cells for row in self.rows)], NUMBERS)
        conventions = [f"  {line}" for line in self.conventions]
        return "\n".join([self.name, "", *table, "", *conventions, *self.ends, self.totals])

    def to_html(self) -> str:
        """The table as HTML."""
        head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
        lines = ["".join(f"<td>{escape(c)}</td>" for c in row.cells) for row in self.rows]
        notes = "".join(f"<li>{escape(line)}</li>" for line in (*self.conventions, *self.ends))
        return (
            f"<b>{escape(self.name)}</b>: {escape(self.totals)}<table><thead><tr>{head}</tr>"
            f"</thead><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table>"
            + (f"<ul>{notes}</ul>" if notes else "")
        )

    def _repr_html_(self) -> str:
        return self.to_html()


def summarise(network: Network) -> Summary:
    """The summary of a network."""
    nodes = {node.name: node for node in network.ir.nodes}

    def summarise_row(row: Row) -> SummaryRow:
        own = [nodes[name] for name in row.nodes]
        operands = [[network.types[name] for name in node.inputs] for node in own]
        others = [follower(node.op) for node in own if node.name != row.name]
        result = network.types[row.result]
        return SummaryRow(
            row.name,
            row.op.row_type,
            ", ".join(filter(None, [format_op(row.op).partition(" ")[2], *others])),
            tuple(
                line
                for node, types in zip(own, operands, strict=True)
                for line in node.op.conventions(*types)
            ),
            result.shape,
            sum(p.count for n in own for p in cost.node_params(n, network.types).values()),
            sum(cost.node_macs(node, network.types) for node in own),
            result.size * cost.FLOAT,
        )

    return Summary(
        network.name,
        tuple(map(summarise_row, network.rows)),
        tuple(_ends(network)),
        network.params,
        network.trainable_params,
        network.macs,
        sum(cost.elements(param) for param in network.param_table.values()) * cost.FLOAT,
        cost.peak_activations(network.ir, network.types) * cost.FLOAT,
    )


def _ends(network: Network) -> Iterator[str]:
    inputs = network.signature.inputs
    if len(inputs) > 1:
        yield f"inputs: {', '.join(inputs)}"
    if network.names_outputs:
        yield f"output{'s' * (len(network.outputs) != 1)}: {', '.join(network.outputs)}"


def follower(op: Op) -> str:
    """What a row does before or after its operator: `relu`, `dropout rate=0.5`, `flatten`."""
    return op.activation if isinstance(op, Activation) else format_op(op)


def align_columns(lines: Sequence[Sequence[str]], numbers: Iterable[str]) -> list[str]:
    """
    Lines of cells as text, two spaces apart; `numbers` are headings of right-aligned columns.

    >>> align_columns([("row", "n"), ("C1", "1,000")], ["n"])
    ['row      n', 'C1   1,000']
    """
    right = set(numbers)
    widths = [max(map(text_cells, column)) for column in zip(*lines, strict=True)]

    def padded(cell: str, width: int, heading: str) -> str:
        gap = " " * (width - text_cells(cell))
        return gap + cell if heading in right else cell + gap

    return ["  ".join(map(padded, line, widths, lines[0])).rstrip() for line in lines]
