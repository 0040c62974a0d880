"""
Random operators for an operand: one strategy for each operator, shared by all suites.

Attributes are drawn from what is feasible for the operand at hand, so nearly every draw is accepted
by the operator.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import strategies as st

from cnndsl.errors import CnnError
from cnndsl.ops.activation import Activation
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
from cnndsl.ops.padding import Padding
from cnndsl.ops.pool import Pool
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.registry import OPERATORS
from cnndsl.ops.subsample import Subsample
from cnndsl.ops.window import Window
from cnndsl.types import TensorType, f32

MOST_MAPS = 24
FUNCTIONS = ["relu", "tanh", "scaled_tanh", "sigmoid", "softmax", "linear"]
ORDERS = st.sampled_from(["hwc", "chw"])

OpFor = Callable[[TensorType], st.SearchStrategy[Op]]
"""Operators that read a tensor of the given type."""
Case = tuple[Op, tuple[TensorType, ...]]
"""An operator and the types of what it reads."""


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


def paddings(most: int = 3) -> st.SearchStrategy[Padding]:
    named = st.sampled_from(["valid", "same", "same_upper", "same_lower"])
    sides = st.tuples(pairs(0, most), pairs(0, most))
    return st.builds(Padding, named) | st.builds(Padding, st.just("explicit"), sides)


def accepted(op: Op, *operands: TensorType) -> bool:
    try:
        op.infer(*operands)
    except CnnError:
        return False
    return True


@st.composite
def windows(draw: st.DrawFn, x: TensorType, most_padding: int = 3) -> dict[str, Any]:
    """Kernel, stride, padding and dilation that fit an image."""
    padding = draw(paddings(most_padding))
    # A window of `same` may be larger than the image: what it lacks is added.
    rooms = [
        max(size, 5) if padding.mode.startswith("same") else size + sum(side)
        for size, side in zip(x.height_width, padding.sides, strict=True)
    ]
    kernel = tuple(draw(st.integers(1, min(5, room))) for room in rooms)
    dilation = tuple(
        draw(st.integers(1, min(3, max(1, (room - 1) // max(1, k - 1)))))
        for room, k in zip(rooms, kernel, strict=True)
    )
    stride = draw(pairs(1, 3) | st.just((1, 1)))
    window = Window(kernel, stride, padding, dilation)
    if padding.mode == "same" and not evenly_padded(window, x):
        padding = Padding(draw(st.sampled_from(["same_upper", "same_lower"])))
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}


def evenly_padded(window: Window, x: TensorType) -> bool:
    try:
        window.sides(x.height_width)
    except CnnError:
        return False
    return True


@st.composite
def convolutions(draw: st.DrawFn, x: TensorType, most_maps: int = MOST_MAPS) -> Conv:
    groups = draw(st.sampled_from([g for g in (1, 1, 2, 3, x.maps) if x.maps % g == 0]))
    maps = groups * draw(st.integers(1, max(1, most_maps // groups)))
    connect: Any = ()
    if groups == 1 and draw(st.booleans()):
        maps = min(maps, 6)
        links = st.lists(st.integers(0, x.maps - 1), min_size=1, unique=True)
        connect = tuple(tuple(sorted(draw(links))) for _ in range(maps))
    bias = draw(st.booleans())
    return Conv(maps, **draw(windows(x)), groups=groups, bias=bias, connect=connect)


def pools(operator: type[Pool]) -> OpFor:
    @st.composite
    def drawn(draw: st.DrawFn, x: TensorType) -> Pool:
        rounding = draw(st.sampled_from(["floor", "floor", "ceil", "ceil_caffe"]))
        op = operator(**draw(windows(x, most_padding=1)), rounding=rounding)
        if isinstance(op, AvgPool) and (draw(st.booleans()) or not accepted(op, x)):
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
    beta, k = draw(st.sampled_from([0.75, 0.5, 1.0])), draw(st.sampled_from([1.0, 2.0, 0.5]))
    return Lrn(alpha, beta, k, **window)


def of_any(ops: st.SearchStrategy[Op]) -> OpFor:
    """Operators that take every operand of their kind."""
    return lambda x: ops


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    maps = draw(st.integers(1, 5))
    numbers = st.none() | st.tuples(*[st.floats(0.01, 200)] * maps) | st.tuples(st.floats(0.01, 9))
    low = draw(st.floats(-5, 5))
    return Input(
        maps,
        draw(pairs(1, 9)),
        layout=draw(st.sampled_from(["nhwc", "nchw"])),
        range=draw(st.none() | st.just((low, low + 1.5))),
        mean=draw(numbers),
        std=draw(numbers),
        channels=draw(st.sampled_from(["rgb", "bgr"])),
        fit=draw(st.sampled_from([None, "stretch", "crop", "pad"])),
        labels=draw(st.none() | st.text(min_size=1)),
    )


UNITS = st.integers(1, MOST_MAPS)

OPERATORS_FOR: dict[str, OpFor] = {
    "conv": convolutions,
    "maxpool": pools(MaxPool),
    "avgpool": pools(AvgPool),
    "subsample": pools(Subsample),
    "globalavgpool": of_any(st.just(GlobalAvgPool())),
    "globalmaxpool": of_any(st.just(GlobalMaxPool())),
    "lrn": normalizations,
    "activation": of_any(st.builds(Activation, st.sampled_from(FUNCTIONS))),
    "dropout": of_any(st.builds(Dropout, st.sampled_from([0.0, 0.1, 0.5]))),
    "flatten": of_any(st.builds(Flatten, ORDERS)),
    "dense": of_any(st.builds(Dense, UNITS, bias=st.booleans(), flatten=ORDERS)),
    "rbf": of_any(
        st.builds(
            Rbf,
            UNITS,
            distance=st.sampled_from(["euclidean", "squared"]),
            centres=st.sampled_from(["trained", "fixed"]),
            flatten=ORDERS,
        )
    ),
}
"""For each row type but the input's, operators that read a tensor of a given type."""


def operands(row_type: str) -> st.SearchStrategy[TensorType]:
    """Small tensors of a kind that the operator reads."""
    side = st.integers(1, 9)
    images = st.builds(f32, side, side, st.integers(1, 6))
    vectors = st.builds(f32, st.integers(1, 12))
    return {"image": images, "vector": vectors, "any": images | vectors}[OPERATORS[row_type].reads]


def cases(row_type: str) -> st.SearchStrategy[Case]:
    """The operator with small operands that it accepts; plain loops over them are quick."""
    ops = OPERATORS_FOR[row_type]
    if row_type == "conv":
        ops = partial(convolutions, most_maps=6)
    return operands(row_type).flatmap(
        lambda x: ops(x).filter(lambda op: accepted(op, x)).map(lambda op: (op, (x,)))
    )


CASES: dict[str, st.SearchStrategy[Case]] = {
    "input": inputs().map(lambda op: (op, ())),
    **{row_type: cases(row_type) for row_type in OPERATORS_FOR},
}
"""For each row type operators with the types of their operands."""
