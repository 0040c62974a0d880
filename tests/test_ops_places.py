"""Operators that put cells in other places: their formulas, and where conventions must be named."""

import math
import re
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES
from test_ops_formula import Cells, as_python

from cnndsl.errors import ConventionError
from cnndsl.ops.sampling import COORDINATES, ROUNDINGS, Sampling
from cnndsl.ops.text import parse_op
from cnndsl.types import f32

WORDS = {"floor": math.floor, "ceil": math.ceil, "min": min, "max": max, "abs": abs, "sum": sum}


@pytest.mark.parametrize("row_type", ["slice", "shuffle", "reshape"])
@given(data=st.data())
def test_the_printed_formula_is_what_is_computed(row_type, data):
    op, (operand,) = data.draw(CASES[row_type])
    x = np.random.default_rng(0).standard_normal(operand.shape)
    y = op.evaluate(x[None])[0]
    left, _, right = op.formula(operand).partition(" = ")
    indices = re.findall(r"\w+", left)[1:]
    program = re.sub(r"\b(\d+)([ck])\b", r"\1*\2", as_python(right))
    for where in np.ndindex(y.shape):
        assert eval(program, {"x": x} | dict(zip(indices, where, strict=True))) == y[where]


@given(data=st.data())
def test_the_printed_formula_of_a_resize_is_what_is_computed(data):
    """Indices are fractions, so that a place halfway between two cells is exactly there."""
    op, (operand,) = data.draw(CASES["resize"])
    x = np.random.default_rng(0).standard_normal(operand.shape)
    y = op.evaluate(x[None])[0]
    text = op.formula(operand).replace("1/2", "half").removeprefix("y[i, j, c] = ")
    right, _, places = text.partition("; row = ")
    row, _, column = places.partition(", column = ")
    names = WORDS | {"x": x, "half": Fraction(1, 2)}
    for i, j, c in np.ndindex(y.shape):
        place = eval(row, names | {"i": Fraction(i)}), eval(column, names | {"j": Fraction(j)})
        if op.mode == "nearest":
            place = int(place[0]), int(place[1])
        scope = names | {"row": place[0], "column": place[1], "c": c}
        assert eval(as_python(right), scope) == pytest.approx(y[i, j, c], rel=1e-12, abs=1e-12)


@given(data=st.data())
def test_the_formula_of_zero_padding_is_what_is_computed(data):
    op, (operand,) = data.draw(CASES["pad"].filter(lambda case: case[0].mode == "zeros"))
    x = np.random.default_rng(0).standard_normal(operand.shape)
    y = op.evaluate(x[None])[0]
    right = op.formula(operand).removeprefix("y[i, j, c] = ").removesuffix("; x is 0 outside")
    for i, j, c in np.ndindex(y.shape):
        assert eval(right, {"x": Cells(x, 0.0), "i": i, "j": j, "c": c}) == y[i, j, c]


@pytest.mark.parametrize(
    ("op", "x", "formula"),
    [
        (
            "pad padding=1x0+2 mode=edge",
            f32(8, 8, 4),
            "y[i, j, c] = x[i-1, j, c]; outside, x repeats its border cells",
        ),
        (
            "slice map_range=16:32 row_range=2:-2 column_range=::2",
            f32(8, 8, 64),
            "y[i, j, c] = x[i+2, 2j, c+16]",
        ),
        ("shuffle groups=3", f32(8, 8, 12), "y[i, j, c] = x[i, j, c % 3 * 4 + c // 3]"),
        ("reshape to=7x7x30", f32(1470), "y[i, j, c] = x[i*210 + j*30 + c]"),
        ("reshape to=7x7x30 order=chw", f32(1470), "y[i, j, c] = x[c*49 + i*7 + j]"),
        (
            "resize mode=nearest factor=2",
            f32(13, 13, 4),
            "y[i, j, c] = x[row, column, c]; row = min(max(floor(i * 13 / 26), 0), 12), "
            "column = min(max(floor(j * 13 / 26), 0), 12)",
        ),
    ],
)
def test_a_formula_reads_well(op, x, formula):
    assert parse_op(op).formula(x) == formula


@pytest.mark.parametrize(
    ("op", "x", "arithmetic"),
    [
        (
            "pad padding=1x0+2",
            f32(8, 6, 4),
            "8x6 padded by 1x0+2 is 10x8: 8 + 1 + 1 = 10; 6 + 0 + 2 = 8",
        ),
        (
            "resize mode=nearest factor=2",
            f32(8, 6, 4),
            "8x6 resized by 2 is 16x12: 8 * 2 = 16; 6 * 2 = 12",
        ),
        ("resize mode=bilinear to=3 coordinates=half_pixel", f32(8, 6, 4), ""),
    ],
)
def test_the_size_is_a_sum_to_check_by_hand(op, x, arithmetic):
    assert parse_op(op).arithmetic(x) == arithmetic


SIZES = list(product(range(1, 14), repeat=2))


def nearest(coordinates, rounding, old, new):
    sampling = Sampling(coordinates, rounding)
    return [sampling.place(i, old, new) for i in range(new)]


@pytest.mark.parametrize("coordinates", COORDINATES)
def test_a_rounding_must_be_named_exactly_where_it_makes_a_difference(coordinates):
    for old, new in SIZES:
        answers = {tuple(nearest(coordinates, word, old, new)) for word in ROUNDINGS}
        assert Sampling(coordinates).meets_cells(old, new) == (len(answers) == 1), (old, new)


def is_refused(op, old, new):
    try:
        parse_op(f"{op} to={new}x1").infer(f32(old, 1, 1))
    except ConventionError:
        return True
    return False


def test_the_coordinates_must_be_named_exactly_where_frameworks_own_answers_differ():
    readings = [("asymmetric", "floor"), ("half_pixel", "half_down"), ("half_pixel", "half_up")]
    for old, new in SIZES:
        answers = {tuple(nearest(*reading, old, new)) for reading in readings}
        assert is_refused("resize mode=nearest", old, new) == (len(answers) > 1), (old, new)
        places = {tuple(nearest(word, None, old, new)) for word in COORDINATES}
        assert is_refused("resize mode=bilinear", old, new) == (len(places) > 1), (old, new)


def test_a_refused_resize_lists_the_readings():
    with pytest.raises(ConventionError) as caught:
        parse_op("resize mode=bilinear factor=2").infer(f32(4, 4, 1))
    (finding,) = caught.value.diagnostics
    assert finding.message == "frameworks take different cells here: name the coordinates"
    assert [fix.message for fix in finding.fixes] == [
        "coordinates=half_pixel, as PyTorch, TensorFlow 2, Keras and ONNX by default",
        "coordinates=align_corners, as PyTorch with align_corners=True",
        "coordinates=asymmetric, as TensorFlow 1 by default and ONNX Upsample",
    ]
    assert finding.fixes[0].sets == (("coordinates", "half_pixel"),)


def test_a_huge_factor_is_judged_at_once():
    x = f32(10**9, 10**9, 1)
    assert parse_op(f"resize mode=nearest factor={10**9}").infer(x).shape[0] == 10**18
    with pytest.raises(ConventionError):
        parse_op(f"resize mode=nearest to={10**9 - 1}").infer(x)


def test_nearest_copies_what_is_no_number_and_spreads_it_nowhere():
    x = np.array([np.inf, 1.0, np.nan]).reshape(1, 3, 1, 1)
    y = parse_op("resize mode=nearest factor=2x1").evaluate(x)
    np.testing.assert_array_equal(y.ravel(), [np.inf, np.inf, 1, 1, np.nan, np.nan])
