"""The CPU's activation functions: every kind of float, limits, and rows in place."""

import numpy as np
import pytest
from cpu_kernel_driver import UNTOUCHED
from cpu_program_driver import FEW, NATIVE, TINY, assert_close, output_of, random_images
from tolerances import EPSILON

from cnndsl.backends.cpu.addresses import address
from cnndsl.backends.cpu.kernels.activations import FUNCTIONS as KERNELS
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.lowering.copy import lower_copy
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.ops.activation import Activation
from cnndsl.ops.functions import FUNCTIONS
from cnndsl.plan.plan import Buffer

pytestmark = pytest.mark.cache

TEXTS = [
    *("linear", "relu", "relu6", "clip(-1.5,2)", "leaky_relu(0.1)", "elu", "elu(0.5)", "selu"),
    *("tanh", "scaled_tanh", "sigmoid", "hard_sigmoid(1/6,0.5)", "hard_sigmoid(0.2,0.5)"),
    *("silu", "hard_swish", "gelu_erf", "gelu_tanh", "softplus", "mish"),
    *("abs", "exp", "power(-1)", "power(0.5)", "power(2)", "power(3)", "power(4)", "power(-0.75)"),
]
EXACT = ("linear", "relu", "relu6", "clip(-1.5,2)", "abs")


def test_every_elementwise_function_is_tested_here():
    named = {Activation(text).name for text in TEXTS}
    assert named == {name for name, function in FUNCTIONS.items() if function.elementwise}
    lowered = {Epilogue.of(text).activation for text in TEXTS} - {None}
    assert {kernel.parameters[0] for kernel in lowered} == set(KERNELS)


def applied(function: str, values: np.ndarray) -> np.ndarray:
    x, y = Buffer("x", values.shape, "input"), Buffer("y", values.shape, "output")
    images = values.reshape(1, 1, 1, -1)
    return output_of(lower_copy(x, y, Epilogue.of(function)), x, y, images).reshape(-1)


def allowed_error(function: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A few units in the last place, and what roundings inside a function cost its result."""
    if function in EXACT:
        return np.zeros(y.shape)
    size = np.abs(x)
    few = FEW + np.zeros(y.shape)
    if function == "gelu_tanh":  # the error of the exponent is a relative one of the power
        few += 4 * np.minimum(1.6 * (size + 0.044715 * size**3), 110)
    few *= EPSILON * np.abs(y)
    if function == "gelu_tanh":  # the reference adds 1 to a float64 near -1
        few += 2.0**-52 * size
    if function.startswith("hard_sigmoid"):  # the product and the constant may cancel
        few += 2 * EPSILON
    return few + TINY * np.maximum(1, np.minimum(size, 200))


@pytest.mark.parametrize("function", TEXTS)
def test_functions_are_right_for_every_kind_of_float(function):
    values = np.arange(0, 2**32, 40503, dtype=np.uint32).view(np.float32)
    values = np.concatenate([values, np.float32([0.0, -0.0, np.inf, -np.inf, np.nan])])
    values = np.concatenate([values, np.linspace(-20, 20, 9999, dtype=np.float32)])
    with np.errstate(all="ignore"):
        result = applied(function, values)
        x = values.astype(float)
        expected = Activation(function).evaluate(x)
        expected = np.where(np.isinf(expected.astype(np.float32)), expected * np.inf, expected)
    nan, infinite = np.isnan(expected), np.isinf(expected)
    np.testing.assert_array_equal(np.isnan(result), nan)
    np.testing.assert_array_equal(result[infinite], expected[infinite])
    rest = ~(nan | infinite)
    error = np.abs(result[rest] - expected[rest])
    allowed = allowed_error(function, x[rest], expected[rest])
    worst = np.argmax(error - allowed)
    assert error[worst] <= allowed[worst], (x[rest][worst], result[rest][worst])


def test_functions_reach_their_limits_exactly():
    limits = {"tanh": (-1, 1), "sigmoid": (0, 1), "scaled_tanh": (-1.7159, 1.7159)}
    for function, wanted in limits.items():
        result = applied(function, np.float32([-np.inf, np.inf]))
        np.testing.assert_array_equal(result, np.float32(wanted))


def test_activation_kernels_reach_each_row_and_nothing_between():
    function = Epilogue.of("tanh").activation
    assert function is not None
    kernel = NATIVE(shared_library().address(function))
    memory = np.full((5, 40), UNTOUCHED)
    memory[:, :13] = random_images((5, 13), 0)
    expected = np.tanh(memory[:, :13].astype(float))
    kernel(address(memory), 5, 13, 40)
    assert_close(memory[:, :13], expected, FEW * EPSILON)
    assert (memory[:, 13:] == UNTOUCHED).all()
