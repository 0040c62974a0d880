"""
Every operator with random small operands that it takes.

Operators of one operand that whole networks are drawn from stand in `op_strategies`; the others are
here.
"""

import numpy as np
from hypothesis import strategies as st
from op_strategies import CASES as PLAIN_CASES
from op_strategies import Case, accepted, paddings, pairs, windows

from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.base import Op, Param
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.constant import Constant
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.function_kind import format_call
from cnndsl.ops.functions import FUNCTIONS
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.mul import Mul
from cnndsl.ops.pad import Pad
from cnndsl.ops.prelu import Prelu
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.sampling import COORDINATES, ROUNDINGS
from cnndsl.ops.separable import Separable
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Part, Slice
from cnndsl.types import TensorType, f32

SIDES = st.integers(1, 7)
MAPS = st.integers(1, 6)
IMAGES = st.builds(f32, SIDES, SIDES, MAPS)
VECTORS = st.builds(f32, st.integers(1, 12))
TENSORS = IMAGES | VECTORS


@st.composite
def sums(draw: st.DrawFn) -> Case:
    return Add(), (draw(TENSORS),) * draw(st.integers(2, 4))


@st.composite
def products(draw: st.DrawFn) -> Case:
    shape = draw(TENSORS).shape
    operands: list[TensorType] = []
    for _ in range(draw(st.integers(2, 4))):
        sides = [draw(st.sampled_from([side, side, 1])) for side in shape]
        operands.append(f32(*sides[-1:]) if sides[:-1] == [1, 1] else f32(*sides))
    return Mul(), tuple(operands)


@st.composite
def concatenations(draw: st.DrawFn) -> Case:
    shape = draw(TENSORS).shape
    axis = draw(st.sampled_from(["height", "width", "maps"])) if len(shape) == 3 else "maps"
    place = ["height", "width", "maps"].index(axis) if len(shape) == 3 else 0
    lengths = draw(st.lists(MAPS, min_size=2, max_size=4))
    return Concat(axis), tuple(f32(*shape[:place], n, *shape[place + 1 :]) for n in lengths)


@st.composite
def functions(draw: st.DrawFn) -> Activation:
    name = draw(st.sampled_from(list(FUNCTIONS)))
    function = FUNCTIONS[name]
    count = draw(st.integers(len(function.required), len(function.constants)))
    numbers = draw(st.lists(st.floats(-3, 3), min_size=count, max_size=count))
    if name == "power":  # of any operand: roots and reciprocals have tests of their own
        numbers = [draw(st.sampled_from([1.0, 2.0, 3.0, 4.0]))]
    return Activation(format_call(name, sorted(numbers) if function.increasing else numbers))


EPSILONS = st.sampled_from([1e-5, 1e-3, 0.1])


@st.composite
def group_norms(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 3))
    x = f32(draw(SIDES), draw(SIDES), groups * draw(st.integers(1, 3)))
    return GroupNorm(groups, draw(EPSILONS), draw(st.booleans()), draw(st.booleans())), (x,)


@st.composite
def depthwise(draw: st.DrawFn) -> Case:
    x = draw(IMAGES)
    op = Depthwise(**draw(windows(x)), multiplier=draw(st.integers(1, 3)), bias=draw(st.booleans()))
    return op, (x,)


@st.composite
def separable(draw: st.DrawFn) -> Case:
    x = draw(IMAGES)
    multiplier, bias = draw(st.integers(1, 2)), draw(st.booleans())
    return Separable(draw(MAPS), **draw(windows(x)), multiplier=multiplier, bias=bias), (x,)


@st.composite
def transposed(draw: st.DrawFn) -> Case:
    kernel, stride, dilation = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(1, 2))
    groups = draw(st.integers(1, 3))
    padding = draw(paddings(2))
    most = [max(pair) - 1 for pair in zip(stride, dilation, strict=True)]
    extra = (0, 0)
    if padding.mode == "explicit":
        extra = (draw(st.integers(0, most[0])), draw(st.integers(0, most[1])))
    x = f32(draw(st.integers(1, 5)), draw(st.integers(1, 5)), groups * draw(st.integers(1, 2)))
    maps, bias = groups * draw(st.integers(1, 2)), draw(st.booleans())
    op = ConvTranspose(maps, kernel, stride, padding, extra, dilation, groups, bias)
    return op, (x,)


@st.composite
def lp_pools(draw: st.DrawFn) -> Case:
    x = draw(IMAGES)
    p = draw(st.sampled_from([1.0, 2.0, 3.0, 2.5]))
    rounding = draw(st.sampled_from(["floor", "ceil"]))
    return LpPool(**draw(windows(x, most_padding=1)), rounding=rounding, p=p), (x,)


@st.composite
def pads(draw: st.DrawFn) -> Case:
    mode = draw(st.sampled_from(["zeros", "constant", "reflect", "edge"]))
    value = draw(st.sampled_from([0.0, -1.5])) if mode == "constant" else None
    return Pad(draw(st.tuples(pairs(0, 3), pairs(0, 3))), mode, value), (draw(IMAGES),)


@st.composite
def parts(draw: st.DrawFn, size: int) -> Part:
    begin = draw(st.integers(0, size - 1))
    end = draw(st.integers(begin + 1, size))
    from_end = draw(st.booleans())
    return Part(
        draw(st.sampled_from([begin, begin - size] if begin else [None, 0, -size])),
        (end - size if from_end else end) if end < size else draw(st.sampled_from([None, size])),
        draw(st.sampled_from([1, 1, 2, 3])),
    )


@st.composite
def slices(draw: st.DrawFn) -> Case:
    x = draw(TENSORS)
    names = ["row_range", "column_range", "map_range"][-len(x.shape) :]
    return Slice(**{n: draw(parts(size)) for n, size in zip(names, x.shape, strict=True)}), (x,)


@st.composite
def shuffles(draw: st.DrawFn) -> Case:
    groups = draw(st.integers(1, 4))
    return Shuffle(groups), (f32(draw(SIDES), draw(SIDES), groups * draw(st.integers(1, 4))),)


@st.composite
def reshapes(draw: st.DrawFn) -> Case:
    before, after = draw(st.permutations([2, 3, 4])), draw(st.permutations([4, 2, 3]))
    shapes = [tuple(before), tuple(after), (24,), (1, 4, 6)]
    x, to = draw(st.sampled_from(shapes)), draw(st.sampled_from(shapes))
    return Reshape(to, draw(st.sampled_from(["hwc", "chw"]))), (f32(*x),)


@st.composite
def resizes(draw: st.DrawFn) -> Case:
    mode = draw(st.sampled_from(["nearest", "bilinear"]))
    coordinates = draw(st.sampled_from([None, *COORDINATES]))
    rounding = None
    if mode == "nearest" and coordinates is not None:
        rounding = draw(st.sampled_from([None, *ROUNDINGS]))
    size = draw(st.sampled_from(["factor", "to"]))
    extent = draw(pairs(1, 3) if size == "factor" else pairs(1, 9))
    return Resize(mode, coordinates=coordinates, rounding=rounding, **{size: extent}), (
        draw(IMAGES),
    )


def of_one(ops: st.SearchStrategy[Op], operand: st.SearchStrategy[TensorType]):
    """Operators that take every operand of their kind."""
    return st.tuples(ops, st.tuples(operand))


def takes(case: Case) -> bool:
    op, operands = case
    return accepted(op, *operands)


BOTH = st.sampled_from(["maps", "image"])

CASES: dict[str, st.SearchStrategy[Case]] = PLAIN_CASES | {
    "constant": st.tuples(
        st.builds(Constant, MAPS, st.none() | pairs(1, 7), st.booleans()), st.just(())
    ),
    "activation": of_one(functions(), TENSORS),
    "add": sums(),
    "mul": products(),
    "concat": concatenations(),
    "batchnorm": of_one(st.builds(BatchNorm, EPSILONS, st.booleans(), st.booleans()), TENSORS),
    "groupnorm": group_norms(),
    "instancenorm": of_one(st.builds(InstanceNorm, EPSILONS, st.booleans()), IMAGES),
    "layernorm": of_one(
        st.builds(LayerNorm, EPSILONS, BOTH, st.booleans(), st.booleans()), TENSORS
    ),
    "depthwise": depthwise(),
    "separable": separable(),
    "convtranspose": transposed().filter(takes),
    "lppool": lp_pools().filter(takes),
    "pad": pads().filter(takes),
    "slice": slices(),
    "shuffle": shuffles(),
    "reshape": reshapes(),
    "resize": resizes().filter(takes),
    "prelu": of_one(st.builds(Prelu, st.sampled_from(["map", "one", "cell"])), TENSORS),
}
"""For each row type operators with the types of their operands."""


def random_weights(params: tuple[Param, ...], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights by short name: what a mask fixes to zero is zero, and a variance is none below it."""
    weights = {param.name: rng.standard_normal(param.shape) for param in params}
    for param in params:
        if param.mask is not None:
            weights[param.name] *= param.mask
        if param.name == "variance":
            weights[param.name] = weights[param.name] ** 2
    return weights
