"""The formula that `explain` prints is what the operator computes: it is run as it stands."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from op_strategies import CASES

from cnndsl.ops.text import parse_op
from cnndsl.types import f32

WORDS = {"max": max, "min": min, "sum": sum, "exp": math.exp, "tanh": math.tanh, "sqrt": math.sqrt}


class Cells:
    """One image or vector, read by index: `outside` what lies outside, `first` map of a group."""

    def __init__(self, x, outside, first=0):
        self.x, self.outside, self.first = x, outside, first

    def __getitem__(self, index):
        if self.x.ndim == 3:
            i, j, c = index
            if not (0 <= i < self.x.shape[0] and 0 <= j < self.x.shape[1]):
                return self.outside
            index = i, j, c + self.first
        return float(self.x[index])


def as_python(formula):
    """The right side as Python; `2i` becomes `2*i`, `for u < 3` a loop, `^` a power."""
    text = re.sub(r"; x is 0 outside$|, o < \d+$| \(in training: .*\)$", "", formula)
    text = text.replace(" of o's group", "").replace("^", "**")
    text = re.sub(r"\b(\d+)([ijuvx])\b", r"\1*\2", text)
    text = re.sub(r"sum\((.*) inside the image\) / the number of them", r"mean(inside(\1))", text)
    text = re.sub(r"sum\((.*)\) / the number of them", r"mean(list(\1))", text)
    text = re.sub(r"(max|min|sum)\((.*) inside the image\)", r"\1(inside(\2))", text)
    text = re.sub(r" for (.*) <= m <= (min\(.*?\))", r" for m in range(\1, \2 + 1)", text)
    text = re.sub(r"(for|,) ([a-z]) < (\d+)", r" for \2 in range(\3)", text)
    return re.sub(r", c in connect", " for c in connect", text)


def evaluated(op, formula, x, weights):
    """What the formula says of one operand. Its left side names the indices that run."""
    left, _, right = formula.partition(" = ")
    y = op.evaluate(x[None], **weights)[0]
    outside = 0.0 if "x is 0 outside" in formula else None
    names = {
        **WORDS,
        **weights,
        "connect": getattr(op, "connect", ()),
        "mean": lambda values: sum(values) / len(values),
        "inside": lambda values: [v for v in values if v is not None],
    }
    result = np.full(y.shape, np.nan)
    program = compile(as_python(right), formula, "eval")
    for where in np.ndindex(x.shape if op.row_type in ("flatten", "activation") else y.shape):
        index = dict(zip("ijc" if x.ndim == 3 else "k", where, strict=True))
        if y.ndim == 1 and op.row_type != "flatten":
            index = {"o": where[0]}
        first = 0
        if op.row_type == "conv":
            index["o"] = index.pop("c")
            per_group = weights["weight"].shape[1]
            first = index["o"] // (op.maps // op.groups) * per_group
        scope = names | index | {"x": Cells(x, outside, first)}
        target = where
        if op.row_type == "flatten":
            target = eval(left.removeprefix("y[").removesuffix("]"), scope)
        result[target] = eval(program, scope)
    return result, y


@pytest.mark.parametrize("row_type", sorted(set(CASES) - {"input", "activation", "dropout"}))
@given(data=st.data())
def test_the_printed_formula_is_what_is_computed(row_type, data):
    op, (operand,) = data.draw(CASES[row_type])
    # How much of the padding a window covers is not said in the formula.
    assume(getattr(op, "divisor", None) != "padded")
    rng = np.random.default_rng(0)
    x = rng.standard_normal(operand.shape)
    weights = {p.name: rng.standard_normal(p.shape) for p in op.params(operand)}
    result, y = evaluated(op, op.formula(operand), x, weights)
    np.testing.assert_allclose(result, y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", ["relu", "tanh", "scaled_tanh", "sigmoid", "linear"])
@given(x=st.floats(-20, 20))
def test_the_printed_function_is_what_is_computed(function, x):
    op = parse_op(f"activation activation={function}")
    right = as_python(op.formula(f32(1)).removeprefix("y = "))
    y = op.evaluate(np.array([[x]]))[0, 0]
    assert eval(right, WORDS | {"x": x}) == pytest.approx(y, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("op", "x", "formula"),
    [
        (
            "conv maps=96 kernel=11 stride=4",
            f32(227, 227, 3),
            "y[i, j, o] = bias[o] + sum(x[4i+u, 4j+v, c] * weight[o, c, u, v] "
            "for u < 11, v < 11, c < 3)",
        ),
        (
            "conv maps=4 kernel=3x1 padding=same groups=2 dilation=2 bias=no",
            f32(9, 9, 6),
            "y[i, j, o] = sum(x[i+2u-2, j+2v, c] * weight[o, c, u, v] "
            "for u < 3, v < 1, c < 3 of o's group); x is 0 outside",
        ),
        (
            "maxpool kernel=3 stride=2 padding=1",
            f32(8, 8, 5),
            "y[i, j, c] = max(x[2i+u-1, 2j+v-1, c] for u < 3, v < 3 inside the image)",
        ),
        (
            "avgpool kernel=2 stride=2",
            f32(8, 8, 5),
            "y[i, j, c] = sum(x[2i+u, 2j+v, c] for u < 2, v < 2) / the number of them",
        ),
        (
            "lrn r=2 alpha=2e-5 beta=0.75 k=1",
            f32(55, 55, 96),
            "y[i, j, c] = x[i, j, c] / (1 + 2e-05 * sum(x[i, j, m]^2 for "
            "max(0, c-1) <= m <= min(95, c+1))) ^ 0.75",
        ),
        (
            "lrn size=4 align=torch alpha=1e-4 beta=0.75 k=1",
            f32(3, 3, 8),
            "y[i, j, c] = x[i, j, c] / (1 + 0.0001 / 4 * sum(x[i, j, m]^2 for "
            "max(0, c-2) <= m <= min(7, c+1))) ^ 0.75",
        ),
    ],
)
def test_a_formula_reads_well(op, x, formula):
    assert parse_op(op).formula(x) == formula
