"""
Random valid networks as `.cnn` texts: at most nine rows, 24 maps and images of 20x20.

Operators come from `op_strategies`, feasible for the image at hand, so nearly every draw is a
network without being filtered; a drawn operator that is refused all the same becomes a plain one.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from op_strategies import FUNCTIONS, OPERATORS_FOR, accepted

from cnndsl.frontend.load import load_network
from cnndsl.ir.network import Network
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.base import Op
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.input import Input
from cnndsl.ops.max_pool import MaxPool
from cnndsl.source import Source
from cnndsl.types import TensorType, f32

MOST_ROWS = 9
MOST_PIXELS = 20


@dataclass(frozen=True)
class DrawnRow:
    name: str
    op: Op
    reads: int | None  # the place of the row that it reads, None for the input
    operand: TensorType | None  # what the operator itself gets, an image flattened where it must be
    activation: str = "linear"
    dropout: float | None = None

    @property
    def result(self) -> TensorType:
        return self.op.infer() if self.operand is None else self.op.infer(self.operand)


def networks() -> st.SearchStrategy[Network]:
    """Checked networks. `network.source.text` is the text that they come from."""
    return texts().map(lambda text: load_network(Source("drawn.cnn", text)))


def texts() -> st.SearchStrategy[str]:
    """Texts of valid networks: some attributes in columns, some in options, some claims."""
    return st.builds(write_text, drawn_rows(), st.randoms(use_true_random=False))


@st.composite
def drawn_rows(draw: st.DrawFn) -> list[DrawnRow]:
    layout = draw(st.sampled_from(["nhwc", "nhwc", "nchw"]))
    size = draw(st.tuples(*[st.integers(1, MOST_PIXELS)] * 2))
    first = Input(draw(st.integers(1, 5)), size, layout=layout)
    rows = [DrawnRow("In", first, None, None)]
    for i in range(draw(st.integers(1, MOST_ROWS - 1))):
        elsewhere = draw(st.integers(0, 7)) == 0
        reads = draw(st.integers(0, i)) if elsewhere else i
        rows.append(draw(drawn_row(f"L{i + 1}", reads, rows[reads].result)))
    return rows


@st.composite
def drawn_row(draw: st.DrawFn, name: str, reads: int, x: TensorType) -> DrawnRow:
    # A row that makes a vector ends the images, so it is drawn less often.
    to_vector = draw(st.integers(0, 5)) == 0
    kinds = (ON_IMAGES if not to_vector else TO_VECTORS) if x.is_image else ON_VECTORS
    op = draw(OPERATORS_FOR[draw(st.sampled_from(kinds))](x))
    operand = f32(x.size) if op.reads == "vector" else x
    if not accepted(op, operand):
        op = MaxPool((1, 1), (1, 1)) if x.is_image else Activation("relu")
    functions = ["linear", "linear", "relu", "tanh", *FUNCTIONS]
    activation = "linear" if isinstance(op, Activation) else draw(st.sampled_from(functions))
    dropout = draw(st.none() | st.none() | st.sampled_from([0.0, 0.25, 0.5]))
    if isinstance(op, Dropout):
        dropout = None
    return DrawnRow(name, op, reads, operand, activation, dropout)


# Row types by what they read and yield; those named more often are drawn more often.
ON_IMAGES = [*["conv"] * 4, "maxpool", "avgpool", "subsample", "lrn", "activation", "dropout"]
TO_VECTORS = ["globalavgpool", "globalmaxpool", "flatten", "dense", "rbf"]
ON_VECTORS = ["dense", "dense", "rbf", "activation", "dropout", "flatten"]


def write_text(rows: list[DrawnRow], random: Any) -> str:
    """The rows as a text. `random` chooses the columns, and what is claimed."""
    usual = ["maps", "size", "kernel", "stride", "padding", "activation"]
    rare = ["from", "dilation", "groups", "bias", "dropout", "params", "macs", "flatten"]
    columns = [c for c in usual if random.random() < 0.9]
    columns += [c for c in rare if random.random() < 0.3]
    lines = ["cnn 1", "network Drawn", "", "  ".join(["layer", "type", *columns])]
    for row in rows:
        values = values_of(row, rows)
        claims = claims_of(row)
        cells: list[str] = []
        for column in columns:
            # In rows other than the input's, a column `size` claims the image's size: LRN's option
            # of that name stays an option.
            is_claim = column in claims and (column == "size" or column not in values)
            if column in values and not is_claim:
                cells.append(values.pop(column))
            elif is_claim:
                cells.append(random.choice([claims[column], claims[column], "?"]))
            else:
                cells.append(blank(row.op, column))
        if random.random() < 0.3:
            cells = without_trailing_dashes(cells)
        options = [f"{name}={text}" for name, text in values.items()]
        lines.append("  ".join([row.name, row.op.row_type, *cells, *options]))
    return "\n".join(lines) + "\n"


def values_of(row: DrawnRow, rows: list[DrawnRow]) -> dict[str, str]:
    """Everything that must be given, as text: attributes, `from`, activation and dropout."""
    values: dict[str, str] = {}
    for attribute in attributes_of(type(row.op)):
        value = getattr(row.op, attribute.name)
        if attribute.required or value != attribute.default:
            values[attribute.name] = attribute.kind.format(value)
    if row.reads is not None and rows[row.reads + 1] is not row:
        values["from"] = rows[row.reads].name
    if row.activation != "linear":
        values["activation"] = row.activation
    if row.dropout is not None:
        values["dropout"] = f"{row.dropout:g}"
    return values


def claims_of(row: DrawnRow) -> dict[str, str]:
    """What may be claimed of a row. What is an attribute of it is none of these."""
    operands = () if row.operand is None else (row.operand,)
    params = sum(param.count for param in row.op.params(*operands))
    claims = {"params": f"{params:,}", "macs": str(row.op.macs(*operands))}
    names = {attribute.name for attribute in attributes_of(type(row.op))}
    if row.result.is_image and row.operand is not None:
        claims["size"] = "{}x{}".format(*row.result.height_width)
    if "maps" not in names:
        claims["maps"] = str(row.result.maps)
    return claims


def blank(op: Op, column: str) -> str:
    """What stands in a column that says nothing of the row: a default where it has one."""
    for attribute in attributes_of(type(op)):
        if attribute.name == column and attribute.default not in (None, ()):
            return attribute.kind.format(attribute.default)
    return "-"


def without_trailing_dashes(cells: list[str]) -> list[str]:
    kept = list(cells)
    while kept and kept[-1] == "-":
        kept.pop()
    return kept
