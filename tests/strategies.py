"""
Random valid networks as `.cnn` texts: at most nine rows, 24 maps and images of 20x20.

Attributes are drawn from what is feasible for the image at hand, so nearly every draw is a network
without being filtered; where a drawn operator is refused all the same, a plain one takes its place.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from cnndsl.errors import CnnError
from cnndsl.frontend.load import load_network
from cnndsl.ir.network import Network
from cnndsl.ops.activation import FUNCTIONS, Activation
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.base import Op
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.input import Input
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.pool import Pool
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.subsample import Subsample
from cnndsl.ops.window import Padding, Window
from cnndsl.source import Source
from cnndsl.types import TensorType, f32

MOST_MAPS = 24
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
    op = draw(draw(st.sampled_from(kinds))(x))
    operand = f32(x.size) if op.reads == "vector" else x
    if not accepted(op, operand):
        op = MaxPool((1, 1), (1, 1)) if x.is_image else Activation("relu")
    functions = ["linear", "linear", "relu", "tanh", *FUNCTIONS]
    activation = "linear" if isinstance(op, Activation) else draw(st.sampled_from(functions))
    dropout = draw(st.none() | st.none() | st.sampled_from([0.0, 0.25, 0.5]))
    if isinstance(op, Dropout):
        dropout = None
    return DrawnRow(name, op, reads, operand, activation, dropout)


def accepted(op: Op, x: TensorType) -> bool:
    try:
        op.infer(x)
    except CnnError:
        return False
    return True


@st.composite
def windows(draw: st.DrawFn, x: TensorType, most_padding: int = 3) -> dict[str, Any]:
    """Kernel, stride, padding and dilation that fit an image."""
    mode = draw(st.sampled_from(["valid", "valid", "same", "same_upper", "same_lower", "explicit"]))
    side = st.integers(0, most_padding)
    sides = draw(st.tuples(st.tuples(side, side), st.tuples(side, side)))
    padding = Padding(mode, sides if mode == "explicit" else ((0, 0), (0, 0)))
    rooms = [
        MOST_PIXELS if mode.startswith("same") else size + sum(cells) * (mode == "explicit")
        for size, cells in zip(x.height_width, sides, strict=True)
    ]
    kernel = tuple(draw(st.integers(1, min(5, room))) for room in rooms)
    dilation = tuple(
        draw(st.integers(1, min(3, max(1, (room - 1) // max(1, k - 1)))))
        for room, k in zip(rooms, kernel, strict=True)
    )
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)) | st.just((1, 1)))
    window = Window(kernel, stride, padding, dilation)
    if mode == "same" and not evenly_padded(window, x):
        padding = Padding(draw(st.sampled_from(["same_upper", "same_lower"])))
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}


def evenly_padded(window: Window, x: TensorType) -> bool:
    try:
        window.sides(x.height_width)
    except CnnError:
        return False
    return True


@st.composite
def convolutions(draw: st.DrawFn, x: TensorType) -> Conv:
    groups = draw(st.sampled_from([g for g in (1, 1, 2, 3, x.maps) if x.maps % g == 0]))
    maps = groups * draw(st.integers(1, max(1, MOST_MAPS // groups)))
    connect: Any = ()
    if groups == 1 and draw(st.integers(0, 4)) == 0:
        maps = min(maps, 6)
        links = st.lists(st.integers(0, x.maps - 1), min_size=1, unique=True)
        connect = tuple(tuple(sorted(draw(links))) for _ in range(maps))
    bias = draw(st.booleans())
    return Conv(maps, **draw(windows(x)), groups=groups, bias=bias, connect=connect)


def pools(operator: type[Pool]) -> Callable[[TensorType], st.SearchStrategy[Pool]]:
    @st.composite
    def drawn(draw: st.DrawFn, x: TensorType) -> Pool:
        rounding = draw(st.sampled_from(["floor", "floor", "ceil", "ceil_caffe"]))
        op = operator(**draw(windows(x, most_padding=1)), rounding=rounding)
        if isinstance(op, AvgPool) and not accepted(op, x):
            return replace(op, divisor=draw(st.sampled_from(["inside", "padded"])))
        return op

    return drawn


@st.composite
def normalizations(draw: st.DrawFn, x: TensorType) -> Lrn:
    maps = st.integers(1, 7)
    window: dict[str, Any] = draw(
        st.builds(lambda half: {"r": 2 * half}, st.integers(0, 3))
        | st.builds(lambda n: {"n": n}, maps)
        | st.builds(lambda r: {"depth_radius": r}, st.integers(0, 3))
        | st.builds(lambda n: {"size": 2 * (n // 2) + 1}, maps)
        | st.builds(
            lambda n, align: {"size": n, "align": align}, maps, st.sampled_from(["onnx", "torch"])
        )
    )
    alpha = draw(st.sampled_from([2e-5, 1e-4, 0.02, 0.5]))
    return Lrn(
        alpha, draw(st.sampled_from([0.75, 0.5, 1.0])), draw(st.sampled_from([1, 2, 0.5])), **window
    )


def always(op: Op) -> Callable[[TensorType], st.SearchStrategy[Op]]:
    return lambda x: st.just(op)


def activations(x: TensorType) -> st.SearchStrategy[Op]:
    return st.builds(Activation, st.sampled_from(list(FUNCTIONS)))


def dropouts(x: TensorType) -> st.SearchStrategy[Op]:
    return st.builds(Dropout, st.sampled_from([0.0, 0.1, 0.5]))


def flattenings(x: TensorType) -> st.SearchStrategy[Op]:
    return st.builds(Flatten, ORDERS)


def dense_layers(x: TensorType) -> st.SearchStrategy[Op]:
    return st.builds(Dense, UNITS, bias=st.booleans(), flatten=ORDERS)


def rbf_layers(x: TensorType) -> st.SearchStrategy[Op]:
    distances, centres = (
        st.sampled_from(["euclidean", "squared"]),
        st.sampled_from(["trained", "fixed"]),
    )
    return st.builds(Rbf, UNITS, distance=distances, centres=centres, flatten=ORDERS)


UNITS = st.integers(1, MOST_MAPS)
ORDERS = st.sampled_from(["hwc", "chw"])
ON_IMAGES = [
    *[convolutions] * 4,
    *(pools(operator) for operator in (MaxPool, AvgPool, Subsample)),
    normalizations,
    activations,
    dropouts,
]
TO_VECTORS = [
    *(always(GlobalAvgPool()), always(GlobalMaxPool())),
    *(flattenings, dense_layers, rbf_layers),
]
ON_VECTORS = [dense_layers, dense_layers, rbf_layers, activations, dropouts, flattenings]


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
