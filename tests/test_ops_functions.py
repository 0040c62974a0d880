"""Activation functions: how texts name them, and what they are where numbers are large or small."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import functions
from test_ops_formula import as_python

from cnndsl.errors import ValueRefused
from cnndsl.ops.activation import Activation
from cnndsl.ops.function_kind import FunctionKind, format_number, read_call
from cnndsl.ops.text import format_op, parse_op
from cnndsl.types import f32

WORDS = {name: getattr(math, name) for name in ("exp", "log", "tanh", "erf", "sqrt", "pi")}


def values(function, *x):
    return Activation(FunctionKind().parse(function)).evaluate(np.array([x]))[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ReLU", "relu"),
        ("swish", "silu"),
        ("leakyrelu(1e-1)", "leaky_relu(0.1)"),
        ("elu(1.0)", "elu"),
        ("elu(0.5)", "elu(0.5)"),
        ("clip(-1,+6)", "clip(-1,6)"),
        ("hard_sigmoid(1/6,1/2)", "hard_sigmoid(1/6,0.5)"),
        ("hardsigmoid(.2,.5)", "hard_sigmoid(0.2,0.5)"),
    ],
)
def test_a_function_is_read_and_written_canonically(text, value):
    assert FunctionKind().parse(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "leaky_relu",
            "write leaky_relu(alpha): alpha is 0.01 in PyTorch and ONNX, 0.1 in Darknet",
        ),
        ("hard_sigmoid", "write hard_sigmoid(alpha,beta): alpha,beta are 1/6,0.5 in PyTorch"),
        ("hard_sigmoid(0.2)", "write hard_sigmoid(alpha,beta)"),
        ("clip(6,0)", "write clip(low,high), the smaller number first"),
        ("clip(0,inf)", "'inf' is not a number"),
        ("clip(1/0,2)", "'0' will not do: it must be greater than 0"),
        ("elu(1e300/1e-300)", "'1e300/1e-300' is too large"),
        ("relu(1)", "relu takes no numbers, and 1 is given"),
        ("relu()", "'' is not a number"),
        ("power", "write power(exponent)"),
        ("gelu", "'gelu' can be two functions: gelu_erf is the default of PyTorch"),
        ("rleu", "'rleu' is not one of relu, tanh"),
        ("clip(0,6", "'clip(0,6' is not one of relu"),
    ],
)
def test_a_refusal_says_what_to_write(text, message):
    with pytest.raises(ValueRefused) as caught:
        FunctionKind().parse(text)
    assert message in str(caught.value)


@given(functions())
def test_a_function_with_numbers_survives_an_operators_text(op):
    assert parse_op(format_op(op)) == op
    assert len(op.numbers) == len(op.function.constants)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_so_that_it_is_read_again(value):
    (number,) = read_call(f"elu({format_number(value)})")[1]
    assert number == value


@given(op=functions().filter(lambda op: op.function.elementwise), x=st.floats(-20, 20))
def test_the_printed_function_is_what_is_computed(op, x):
    right = as_python(op.formula(f32(1)).removeprefix("y = "))
    y = op.evaluate(np.array([[x]]))[0, 0]
    assert eval(right, WORDS | {"x": x}) == pytest.approx(y, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize(
    ("function", "left", "right"),
    [
        ("relu", 0, 1e4),
        ("tanh", -1, 1),
        ("scaled_tanh", -1.7159, 1.7159),
        ("sigmoid", 0, 1),
        ("linear", -1e4, 1e4),
        ("relu6", 0, 6),
        ("clip(-2,3)", -2, 3),
        ("leaky_relu(0.1)", -1e3, 1e4),
        ("elu(0.5)", -0.5, 1e4),
        ("selu", -1.7580993408473766, 1.0507009873554805e4),
        ("silu", 0, 1e4),
        ("gelu_erf", 0, 1e4),
        ("gelu_tanh", 0, 1e4),
        ("hard_sigmoid(0.2,0.5)", 0, 1),
        ("hard_swish", 0, 1e4),
        ("softplus", 0, 1e4),
        ("mish", 0, 1e4),
        ("abs", 1e4, 1e4),
        ("exp", 0, math.inf),
        ("power(2)", 1e8, 1e8),
        ("power(-1)", -1e-4, 1e-4),
    ],
)
def test_a_function_reaches_its_limits_far_out(function, left, right):
    np.testing.assert_allclose(values(function, -1e4, 1e4), [left, right], rtol=1e-12)


def test_a_root_of_a_number_below_zero_is_none_and_a_reciprocal_of_zero_is_infinite():
    np.testing.assert_array_equal(values("power(0.5)", -4.0, 4.0), [math.nan, 2.0])
    np.testing.assert_array_equal(values("power(-1)", 0.0, 4.0), [math.inf, 0.25])


def test_small_results_keep_their_digits():
    np.testing.assert_allclose(values("softplus", -40.0), math.exp(-40), rtol=1e-12)
    np.testing.assert_allclose(values("silu", -40.0), -40 * math.exp(-40), rtol=1e-12)
    np.testing.assert_allclose(values("elu", -1e-12), -1e-12, rtol=1e-9)
    # Phi(-10), from tables of the normal distribution.
    np.testing.assert_allclose(values("gelu_erf", -10.0), -10 * 7.61985302416e-24, rtol=1e-9)


def test_the_two_gelus_differ():
    difference = np.abs(values("gelu_erf", -2.0) - values("gelu_tanh", -2.0))
    assert 1e-5 < difference[0] < 1e-3


def test_log_softmax_of_large_numbers_is_finite():
    y = Activation("log_softmax").evaluate(np.array([[1e4, 1e4, -1e4]]))
    np.testing.assert_allclose(y, [[-math.log(2), -math.log(2), -2e4 - math.log(2)]])


def test_selu_keeps_mean_and_variance_of_normal_numbers():
    """Klambauer et al. 2017: (0, 1) is the fixed point, to the digits that its integrals have."""
    x = np.linspace(-12, 12, 400_001)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    y = Activation("selu").evaluate(x)
    assert np.sum(y * density) == pytest.approx(0, abs=1e-7)
    assert np.sum(y**2 * density) == pytest.approx(1, abs=1e-7)
