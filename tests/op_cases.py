"""
Every operator with random small operands that it takes.

Operators of one operand that whole networks are drawn from stand in `op_strategies`; the others are
here.
"""

from hypothesis import strategies as st
from op_strategies import CASES as PLAIN_CASES
from op_strategies import Case

from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.concat import Concat
from cnndsl.ops.function_kind import format_call
from cnndsl.ops.functions import FUNCTIONS
from cnndsl.ops.mul import Mul
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
    return Activation(format_call(name, sorted(numbers) if function.increasing else numbers))


CASES: dict[str, st.SearchStrategy[Case]] = PLAIN_CASES | {
    "activation": st.tuples(functions(), st.tuples(TENSORS)),
    "add": sums(),
    "mul": products(),
    "concat": concatenations(),
}
"""For each row type operators with the types of their operands."""
