"""The formulas of depthwise, separable and transposed convolution and of LP pools: run as text."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, random_weights
from test_ops_formula import Cells, as_python

from cnndsl.ops.text import parse_op
from cnndsl.types import f32


def run(formula, shape, names):
    """The array that a formula says, of that shape; its left side names the indices that run."""
    left, _, right = formula.partition(" = ")
    indices = re.findall(r"\w+", left)[1:]
    text = right.replace(" inside the image", "")  # what lies outside adds 0 to every sum here
    text = re.sub(r", c in group (.*?) if", r" for c in group[\1] if", text)
    program = compile(re.sub(r"\b(\d+)([pq])\b", r"\1*\2", as_python(text)), formula, "eval")
    y = np.full(shape, np.nan)
    for where in np.ndindex(shape):
        y[where] = eval(program, names | dict(zip(indices, where, strict=True)))
    return y


@pytest.mark.parametrize("row_type", ["depthwise", "separable", "convtranspose", "lppool"])
@given(data=st.data(), seed=st.integers(0, 99))
def test_the_printed_formula_is_what_is_computed(row_type, data, seed):
    op, (operand,) = data.draw(CASES[row_type])
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(operand.shape)
    weights = random_weights(op.params(operand), rng)
    y = op.evaluate(x[None], **weights)[0]
    names = {"x": Cells(x, 0.0), **weights}
    for part in ("depthwise", "pointwise"):
        own = {n.removeprefix(f"{part}."): a for n, a in weights.items() if n.startswith(part)}
        names[part] = SimpleNamespace(**own)
    groups = getattr(op, "groups", 1)
    names["group"] = np.arange(operand.maps).reshape(groups, -1)
    formula = op.formula(operand)
    if row_type == "separable":
        formula, _, first = formula.partition("; ")
        names["d"] = run(first, op.depthwise.infer(operand).shape, names)
    np.testing.assert_allclose(run(formula, y.shape, names), y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("op", "x", "formula"),
    [
        (
            "depthwise kernel=3 padding=same multiplier=2",
            f32(8, 8, 4),
            "y[i, j, o] = bias[o] + sum(x[i+u-1, j+v-1, o // 2] * weight[o, 0, u, v] "
            "for u < 3, v < 3); x is 0 outside",
        ),
        (
            "convtranspose maps=8 kernel=4 stride=2 padding=same",
            f32(7, 7, 4),
            "y[i, j, o] = bias[o] + sum(x[p, q, c] * weight[c, o, u, v] for p < 7, q < 7, u < 4, "
            "v < 4, c < 4 if 2p+u-1 == i and 2q+v-1 == j)",
        ),
        (
            "lppool kernel=3 stride=2",
            f32(7, 7, 4),
            "y[i, j, c] = sum(abs(x[2i+u, 2j+v, c])^2 for u < 3, v < 3) ^ (1 / 2)",
        ),
    ],
)
def test_a_formula_reads_well(op, x, formula):
    assert parse_op(op).formula(x) == formula


@pytest.mark.parametrize(
    ("op", "x", "arithmetic"),
    [
        (
            "convtranspose maps=8 kernel=3 stride=2 padding=1 output_padding=1",
            f32(8, 8, 4),
            "8x8 through 3x3 transposed stride 2 padding 1 output_padding 1 is 16x16: "
            "(8 - 1) * 2 + 3 - 1 - 1 + 1 = 16",
        ),
        (
            "convtranspose maps=8 kernel=4x3 stride=2x1 padding=same dilation=1x2",
            f32(5, 6, 4),
            "5x6 through 4x3 transposed stride 2x1 dilation 1x2 padding same is 10x6: "
            "(5 - 1) * 2 + 4 - 1 - 1 = 10; (6 - 1) * 1 + 5 - 2 - 2 = 6",
        ),
        (
            "convtranspose maps=8 kernel=64 stride=32",
            f32(16, 16, 4),
            "16x16 through 64x64 transposed stride 32 padding valid is 544x544: "
            "(16 - 1) * 32 + 64 = 544",
        ),
        (
            "separable maps=8 kernel=3 stride=2 padding=1",
            f32(8, 8, 4),
            "8x8 through 3x3 stride 2 padding 1 is 4x4: (8 + 1 + 1 - 3) // 2 + 1 = 4",
        ),
        ("add", f32(8, 8, 4), ""),
    ],
)
def test_the_size_is_a_sum_to_check_by_hand(op, x, arithmetic):
    assert parse_op(op).arithmetic(x) == arithmetic
