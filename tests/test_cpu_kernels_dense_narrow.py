"""Dense layers on weights of fewer bits, against the product with the weights these stand for."""

from functools import partial

import numpy as np
import pytest
from cpu_kernel_driver import ADD_ONE, UNTOUCHED, hot_loops, outside, pieces
from dense_problem import DenseProblem
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnndsl.backends.cpu.lowering.dense_narrow import (
    UNIT_IMAGES,
    DenseNarrowTile,
    dense_narrow_tile,
    lower_dense_narrow,
)
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.narrow_weights import MOST, narrow
from cnndsl.backends.cpu.target import Target

HOST = dense_narrow_tile(Target.host())
OTHERS = (DenseNarrowTile(4, 4), DenseNarrowTile(12, 16))  # lanes of NEON, of AVX-512
KEPT = ("bfloat16", "int8")
each_kind = pytest.mark.parametrize("kept", KEPT)


class Problem(DenseProblem):
    """A layer whose weights are kept in fewer bits, and scaled and rounded once more than a sum."""

    roundings = 2

    def __init__(self, inputs: int, outputs: int, batch: int, kept: str, seed: int = 0) -> None:
        super().__init__(partial(lower_dense_narrow, kept), inputs, outputs, batch, seed)
        self.kept = kept

    def multiplied(self) -> np.ndarray:
        return narrow(self.weight, self.kept).float32


@settings(deadline=None, max_examples=80)
@given(
    inputs=st.integers(1, 300),
    outputs=st.integers(1, 150),
    batch=st.sampled_from([1, 2, 3, 4, 5, 6, 7, UNIT_IMAGES, UNIT_IMAGES + 1]),
    kept=st.sampled_from(KEPT),
    tile=st.sampled_from((HOST, HOST, *OTHERS)),
)
@example(inputs=1, outputs=1, batch=UNIT_IMAGES + 1, kept="int8", tile=HOST)
def test_it_is_the_product_with_the_narrow_weights(inputs, outputs, batch, kept, tile):
    problem = Problem(inputs, outputs, batch, kept)
    problem.check(problem.outputs(tile=tile))


@settings(deadline=None, max_examples=20)
@given(inputs=st.integers(1, 200), batch=st.integers(2, 15), kept=st.sampled_from(KEPT))
def test_an_image_has_the_same_bits_alone_as_in_a_batch(inputs, batch, kept):
    problem, alone = Problem(inputs, 71, batch, kept), Problem(inputs, 71, 1, kept)
    alone.weight, alone.bias = problem.weight, problem.bias
    for image, y in zip(problem.images, problem.vectors(problem.outputs()), strict=True):
        alone.images = image[None]
        np.testing.assert_array_equal(alone.vectors(alone.outputs())[0], y)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), batch=st.sampled_from([1, 3, UNIT_IMAGES + 5]))
def test_every_split_of_the_work_gives_the_same_bits(seed, batch):
    problem = Problem(50, 300, batch, KEPT[seed % 2], seed)
    units = problem.call().units
    assert units >= 3
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(problem.outputs(ranges=ranges), problem.outputs())


@each_kind
@pytest.mark.parametrize("batch", [1, 4, 6])
def test_bounds_clamp_and_let_nan_through(kept, batch):
    problem = Problem(37, 29, batch, kept)
    problem.weight[7, 3] = np.nan
    plain = problem.vectors(problem.outputs())
    clamped = problem.vectors(problem.outputs(Epilogue(low=0.0)))
    assert np.isnan(plain).sum() == batch
    np.testing.assert_array_equal(clamped, np.maximum(plain, 0.0))


@each_kind
def test_an_activation_meets_every_output_once(kept):
    problem = Problem(20, 150, UNIT_IMAGES + 3, kept)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    np.testing.assert_array_equal(
        problem.vectors(activated), problem.vectors(plain) + np.float32(1)
    )
    assert (outside(problem.y, activated, problem.batch) == UNTOUCHED).all()


@each_kind
def test_without_a_bias_outputs_are_plain_dot_products(kept):
    problem, with_zeros = Problem(10, 10, 2, kept), Problem(10, 10, 2, kept)
    with_zeros.bias[:] = 0.0
    problem.bias = None
    np.testing.assert_array_equal(problem.outputs(), with_zeros.outputs())


@each_kind
def test_the_inner_loops_keep_their_vectors_in_registers(kept):
    loops = hot_loops(Problem(10, 10, 2, kept).call().kernel)
    assert len(loops) >= 3
    for loop in loops:
        # Where the loop ends may be on the stack: LLVM 20 compares with it there, at no cost.
        vectors = [line for line in loop if "mm" in line or not line.lstrip().startswith("cmp")]
        assert not [line for line in vectors if "rsp" in line or "[sp" in line]


# ---- what is kept


finite = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)


@given(st.lists(finite, min_size=1, max_size=20))
def test_int8_is_off_by_half_of_a_step_at_most(numbers):
    weight = np.array([numbers], np.float32)
    kept = narrow(weight, "int8")
    off = abs(kept.stored.astype(float) * kept.scale[:, None] - weight)
    assert (off <= kept.scale[:, None] * (0.5 + 1e-4)).all()
    assert abs(kept.stored).max() <= MOST


@given(st.lists(st.floats(width=32, allow_subnormal=False), min_size=1, max_size=20))
def test_bfloat16_is_the_nearest_number_of_eight_bits(numbers):
    weight = np.array([numbers], np.float32)
    found = narrow(weight, "bfloat16").float32
    np.testing.assert_array_equal(np.isnan(found), np.isnan(weight))
    mantissa, exponent = np.frexp(weight.astype(np.float64))
    nearest = np.ldexp(np.rint(mantissa * 256) / 256, exponent)
    ordinary = (abs(weight) >= np.finfo(np.float32).tiny) & (abs(nearest) < 3.4e38)
    np.testing.assert_array_equal(found[ordinary], nearest[ordinary])


def test_what_bfloat16_holds_stays_as_it_is():
    numbers = [0.0, -0.0, 1.0, -1.5, 2.0**-130, np.inf, -np.inf, np.nan]
    weight = np.array([numbers], np.float32)
    found = narrow(weight, "bfloat16").float32
    np.testing.assert_array_equal(found, weight)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(weight))


def test_rows_of_zeros_stay_zeros_and_rows_that_are_not_finite_are_nan():
    weight = np.array([[0.0, 0.0], [np.inf, 1.0], [1.0, np.nan], [1e-40, 0.0]], np.float32)
    found = narrow(weight, "int8").float32
    assert not found[0].any()
    assert np.isnan(found[1:3]).all()
    assert np.isfinite(found[3]).all()
