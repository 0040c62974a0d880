"""What is written with vectors is what Python's operators mean, lane by lane."""

import numba
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.memory import entry, set_entry

LANES = pytest.mark.parametrize("lanes", [4, 8, 16])


def run(lanes: int, emit, *arrays: np.ndarray, number: int = 0) -> None:
    """Run emitted code of up to three arrays and a number."""
    step = emits(lanes)(emit)

    def call(a: int, b: int, c: int, n: int) -> None:
        step(a, b, c, n)

    addresses = [array.ctypes.data for array in arrays] + [0] * (3 - len(arrays))
    numba.cfunc("void(int64, int64, int64, int64)")(call).ctypes(*addresses, number)


@LANES
def test_operators_work_lane_by_lane(lanes):
    x, y = np.arange(1, lanes + 1, dtype="f"), np.empty(lanes, "f")

    def emit(code: Code, a: Value, b: Value, c: Value, n: Value) -> None:
        v = code.load(code.pointer(a))
        code.store((3.0 - v * 2.0) / (v + 1.0) - (-v).abs().sqrt(), code.pointer(b))

    run(lanes, emit, x, y)
    assert_array_equal(y, (np.float32(3) - x * 2) / (x + 1) - np.sqrt(x))


@LANES
def test_bounds_let_nan_through_and_infinities_be(lanes):
    x, y = np.zeros(lanes, "f"), np.empty((2, lanes), "f")
    x[:4] = np.nan, -np.inf, np.inf, -0.5

    def emit(code: Code, a: Value, b: Value, c: Value, n: Value) -> None:
        v = code.load(code.pointer(a))
        code.store(v.at_least(0.0), code.pointer(b))
        code.store(v.at_most(0.0), code.pointer(b), lanes)

    run(lanes, emit, x, y)
    assert_array_equal(y, [np.maximum(x, 0), np.minimum(x, 0)])


@LANES
def test_part_of_a_vector_is_read_and_written_and_nothing_else(lanes):
    for count in range(lanes + 1):
        x, y = np.arange(1, lanes + 1, dtype="f"), np.full((2, lanes + 1), 9, "f")

        def emit(code: Code, a: Value, b: Value, c: Value, n: Value) -> None:
            v = code.load_first(code.pointer(a), 0, code.first_lanes(n), -1.0)
            code.store(v, code.pointer(b))
            code.store_first(v + 1.0, code.pointer(c), 0, n)

        run(lanes, emit, x, y[0], y[1], number=count)
        assert_array_equal(y[0, :lanes], np.where(np.arange(lanes) < count, x, -1))
        assert_array_equal(y[1], [*(x[:count] + 1), *[9] * (lanes + 1 - count)])


@LANES
def test_sums_of_many_vectors_are_the_sums_of_each(lanes):
    rng = np.random.default_rng(lanes)
    x, y = rng.standard_normal((lanes, lanes), np.float32), np.empty((2, lanes), "f")

    def emit(code: Code, a: Value, b: Value, c: Value, n: Value) -> None:
        rows = [code.load(code.pointer(a), i * lanes) for i in range(lanes)]
        code.store(code.sums(rows), code.pointer(b))
        for i, row in enumerate(rows):
            code.store_float(row.sum(), code.pointer(b), lanes + i)

    run(lanes, emit, x, y)
    assert_array_equal(y[0], y[1])
    np.testing.assert_allclose(y[0], x.sum(axis=1), rtol=1e-5, atol=1e-5)


@LANES
def test_powers_of_two_and_rounding(lanes):
    x, y = np.linspace(-126, 127, lanes, dtype="f"), np.empty((3, lanes), "f")

    def emit(code: Code, a: Value, b: Value, c: Value, n: Value) -> None:
        whole = code.load(code.pointer(a)).rounded()
        code.store(whole, code.pointer(b))
        code.store(whole.power_of_two(), code.pointer(b), lanes)
        code.store((whole + 40.0).power_of_two(-40), code.pointer(b), 2 * lanes)

    run(lanes, emit, x, y)
    assert_array_equal(y[0], np.rint(x))
    assert_array_equal(y[1], np.exp2(np.rint(x)))
    assert_array_equal(y[2], y[1])


def test_beyond_the_powers_of_two_lie_zero_and_infinity():
    x, y = np.float32([-127, 128, 0, 1]), np.empty(4, "f")

    def emit(code: Code, a: Value, b: Value, c: Value, n: Value) -> None:
        code.store(code.load(code.pointer(a)).power_of_two(), code.pointer(b))

    run(4, emit, x, y)
    assert_array_equal(y, np.float32([0, np.inf, 1, 2]))


def test_loops_carry_their_state_and_may_have_no_turn():
    y = np.zeros(3, np.int64)

    def emit(code: Code, a: Value, b: Value, c: Value, n: Value) -> None:
        def add(i: Value, state: list) -> list:
            return [state[0] + code.integer(i)]

        (total,) = code.loop(0, n, 3, [code.integer(100)], add)
        set_entry(code, a, 0, total)
        with code.each(0, 4) as i, code.each(i, 4) as j:
            set_entry(code, a, 1, entry(code, a, 1) + j)
        with code.each(5, 5):
            set_entry(code, a, 2, 1)

    run(4, emit, y, number=10)
    assert_array_equal(y, [100 + 0 + 3 + 6 + 9, 0 + 2 * 1 + 3 * 2 + 4 * 3, 0])
