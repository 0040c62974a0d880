"""The formulas of operators on several rows, of normalizations and slopes: run as they stand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, random_weights
from test_ops_formula import as_python

from cnndsl.ops.text import parse_op
from cnndsl.types import f32

WORDS = {"max": max, "min": min, "sqrt": math.sqrt}


def moments(op, x, where):
    """What `mean` and `variance` say behind a normalization's formula."""
    if op.row_type == "groupnorm":
        size = x.shape[-1] // op.groups
        first = where[-1] // size * size
        cells = x[..., first : first + size]
    elif op.row_type == "instancenorm":
        cells = x[..., where[-1]]
    else:
        cells = x if op.over == "image" else x[where[:-1]]
    return {"mean": np.mean(cells), "variance": np.var(cells)}


@pytest.mark.parametrize(
    "row_type",
    ["add", "mul", "batchnorm", "groupnorm", "instancenorm", "layernorm", "prelu"],
)
@given(data=st.data(), seed=st.integers(0, 99))
def test_the_printed_formula_is_what_is_computed(row_type, data, seed):
    op, operands = data.draw(CASES[row_type])
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(operand.shape) for operand in operands]
    weights = random_weights(op.params(*operands), rng)
    y = op.evaluate(*(x[None] for x in arrays), **weights)[0]
    formula = op.formula(*operands).partition(";")[0]
    left, _, right = formula.partition(" = ")
    indices = left.removeprefix("y[").removesuffix("]").split(", ")
    names = WORDS | weights | {"x": arrays[0]} | {f"x{n}": x for n, x in enumerate(arrays, 1)}
    program = compile(as_python(right), formula, "eval")
    result = np.full(y.shape, np.nan)
    for where in np.ndindex(y.shape):
        scope = names | dict(zip(indices, where, strict=True))
        if row_type in ("groupnorm", "instancenorm", "layernorm"):
            scope |= moments(op, arrays[0], where)
        result[where] = eval(program, scope)
    np.testing.assert_allclose(result, y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("op", "operands", "formula"),
    [
        (
            "mul",
            (f32(7, 7, 64), f32(1, 1, 64)),
            "y[i, j, c] = x1[i, j, c] * x2[0, 0, c]",
        ),
        ("mul", (f32(7, 7, 64), f32(64)), "y[i, j, c] = x1[i, j, c] * x2[c]"),
        (
            "batchnorm epsilon=1e-5",
            (f32(7, 7, 64),),
            "y[i, j, c] = (x[i, j, c] - mean[c]) / sqrt(variance[c] + 1e-05) * weight[c] + bias[c]",
        ),
        (
            "concat",
            (f32(7, 7, 64), f32(7, 7, 32)),
            "y[:, :, 0:64] = x1; y[:, :, 64:96] = x2",
        ),
    ],
)
def test_a_formula_reads_well(op, operands, formula):
    assert parse_op(op).formula(*operands) == formula
