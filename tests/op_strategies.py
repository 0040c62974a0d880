"""Random operators with operands that they accept: one strategy for each operator."""

from hypothesis import strategies as st

from cnndsl.errors import CnnError
from cnndsl.ops.activation import FUNCTIONS, Activation
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
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.subsample import Subsample
from cnndsl.ops.window import Padding
from cnndsl.types import TensorType, f32

Case = tuple[Op, tuple[TensorType, ...]]
"""An operator and the types of what it reads."""

SIDES = st.integers(0, 3)
MAPS = st.integers(1, 6)


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most))


def images(least: int = 1, most: int = 9) -> st.SearchStrategy[TensorType]:
    return st.builds(f32, st.integers(least, most), st.integers(least, most), MAPS)


def vectors() -> st.SearchStrategy[TensorType]:
    return st.builds(f32, st.integers(1, 12))


def paddings() -> st.SearchStrategy[Padding]:
    sides = st.tuples(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
    named = st.sampled_from(["valid", "same", "same_upper", "same_lower"])
    return st.builds(Padding, named) | st.builds(Padding, st.just("explicit"), sides)


def sliding(draw: st.DrawFn) -> dict[str, object]:
    """The attributes that all sliding windows have."""
    return {
        "kernel": draw(pairs(1, 4)),
        "stride": draw(pairs(1, 3)),
        "padding": draw(paddings()),
        "dilation": draw(st.just((1, 1)) | pairs(1, 3)),
    }


@st.composite
def convolutions(draw: st.DrawFn) -> Case:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    inputs, outputs = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    links = st.lists(st.integers(0, inputs - 1), min_size=1, unique=True).map(sorted).map(tuple)
    connect = ()
    if groups == 1 and draw(st.booleans()):
        connect = tuple(draw(st.lists(links, min_size=outputs, max_size=outputs)))
    x = f32(draw(st.integers(1, 9)), draw(st.integers(1, 9)), inputs)
    bias = draw(st.booleans())
    return Conv(outputs, **sliding(draw), groups=groups, bias=bias, connect=connect), (x,)


@st.composite
def pools(draw: st.DrawFn, operator: type[Op]) -> Case:
    options = sliding(draw) | {"rounding": draw(st.sampled_from(["floor", "ceil", "ceil_caffe"]))}
    if operator is AvgPool:
        options["divisor"] = draw(st.sampled_from(["inside", "padded", None]))
    return operator(**options), (draw(images()),)


@st.composite
def normalizations(draw: st.DrawFn) -> Case:
    window: dict[str, object] = draw(
        st.fixed_dictionaries({"r": st.integers(0, 4).map(lambda half: 2 * half)})
        | st.fixed_dictionaries({"n": st.integers(1, 8)})
        | st.fixed_dictionaries({"depth_radius": st.integers(0, 4)})
        | st.fixed_dictionaries(
            {"size": st.integers(1, 8), "align": st.sampled_from(["onnx", "torch"])}
        )
    )
    numbers = [draw(st.floats(1e-4, 2.0)) for _ in range(3)]
    return Lrn(*numbers, **window), (draw(images()),)


@st.composite
def inputs(draw: st.DrawFn) -> Case:
    maps = draw(MAPS)
    numbers = st.none() | st.tuples(*[st.floats(0.01, 200)] * maps) | st.tuples(st.floats(0.01, 9))
    low = draw(st.floats(-5, 5))
    op = Input(
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
    return op, ()


def cases(
    ops: st.SearchStrategy[Op], operand: st.SearchStrategy[TensorType]
) -> st.SearchStrategy[Case]:
    return st.tuples(ops, st.tuples(operand))


def accepted(case: Case) -> bool:
    """Whether the operator takes its operand: an image can be too small for a window."""
    op, operands = case
    try:
        op.infer(*operands)
    except CnnError:
        return False
    return True


ORDERS = st.sampled_from(["hwc", "chw"])

CASES: dict[str, st.SearchStrategy[Case]] = {
    "input": inputs(),
    "conv": convolutions().filter(accepted),
    "maxpool": pools(MaxPool).filter(accepted),
    "avgpool": pools(AvgPool).filter(accepted),
    "subsample": pools(Subsample).filter(accepted),
    "globalavgpool": cases(st.just(GlobalAvgPool()), images()),
    "globalmaxpool": cases(st.just(GlobalMaxPool()), images()),
    "lrn": normalizations(),
    "activation": cases(st.builds(Activation, st.sampled_from(list(FUNCTIONS))), images())
    | cases(st.builds(Activation, st.sampled_from(list(FUNCTIONS))), vectors()),
    "dropout": cases(st.builds(Dropout, st.floats(0, 0.99)), images() | vectors()),
    "flatten": cases(st.builds(Flatten, ORDERS), images() | vectors()),
    "dense": cases(st.builds(Dense, MAPS, bias=st.booleans(), flatten=ORDERS), vectors()),
    "rbf": cases(
        st.builds(
            Rbf,
            MAPS,
            distance=st.sampled_from(["euclidean", "squared"]),
            centres=st.sampled_from(["trained", "fixed"]),
            flatten=ORDERS,
        ),
        vectors(),
    ),
}
