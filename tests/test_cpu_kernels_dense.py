"""The dense kernel against the matrix product, for every shape, batch and split of work."""

import numpy as np
import pytest
from cpu_kernel_driver import (
    ADD_ONE,
    UNTOUCHED,
    blank_of,
    cells,
    hot_loops,
    memory_of,
    outside,
    pieces,
    run,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tolerances import bound

from cnndsl.backends.cpu.lowering.dense import (
    CACHED_IMAGES,
    DEPTH,
    UNIT_IMAGES,
    UNIT_OUTPUTS,
    DenseTile,
    dense_tile,
    lower_dense,
)
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

PLAIN = Epilogue()
HOST = dense_tile(Target.host())
OTHERS = (DenseTile(2, 3, 4), DenseTile(4, 2, 16))  # lanes of NEON, of AVX-512


class Problem:
    """A random dense layer, its memory, and what it must compute."""

    def __init__(self, inputs: int, outputs: int, batch: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.batch = batch
        self.x, self.y = Buffer("x", (inputs,), "input"), Buffer("y", (outputs,), "output")
        self.weight = rng.standard_normal((outputs, inputs), np.float32)
        self.bias = rng.standard_normal(outputs, np.float32)
        self.images = rng.standard_normal((batch, inputs), np.float32)

    def outputs(self, epilogue=PLAIN, tile=HOST, ranges=None, activation=0) -> np.ndarray:
        """The memory that the kernel wrote."""
        call = lower_dense(self.x, self.y, epilogue, self.weight, self.bias, tile)(self.batch)
        y = blank_of(self.y, self.batch)
        run(call, memory_of(self.x, self.images[:, None, None]), y, ranges, activation)
        return y

    def vectors(self, memory: np.ndarray) -> np.ndarray:
        """The outputs in such memory, [n, o]."""
        return cells(self.y, memory, self.batch)[:, 0, 0]

    def check(self, y: np.ndarray) -> None:
        """Assert that `y` holds the right numbers, and nothing else was written."""
        images, weight, bias = (a.astype(float) for a in (self.images, self.weight, self.bias))
        error = abs(self.vectors(y) - images @ weight.T - bias)
        magnitude = abs(images) @ abs(weight).T + abs(bias)
        assert (error <= bound(images.shape[1] + 1, magnitude)).all()
        assert (outside(self.y, y, self.batch) == UNTOUCHED).all()


@settings(deadline=None, max_examples=60)
@given(
    inputs=st.integers(1, 2 * DEPTH + 20),
    outputs=st.integers(1, UNIT_OUTPUTS + 40),
    batch=st.sampled_from([1, 2, 3, 4, 5, CACHED_IMAGES + 1, UNIT_IMAGES + 1]),
    tile=st.sampled_from((HOST, HOST, *OTHERS)),
)
@example(inputs=1, outputs=1, batch=UNIT_IMAGES + 1, tile=HOST)
def test_dense_is_the_matrix_product_and_writes_nothing_else(inputs, outputs, batch, tile):
    problem = Problem(inputs, outputs, batch)
    problem.check(problem.outputs(tile=tile))


@settings(deadline=None, max_examples=20)
@given(inputs=st.integers(1, 2 * DEPTH + 20), batch=st.integers(2, UNIT_IMAGES + 5))
def test_an_image_has_the_same_bits_alone_as_in_a_batch(inputs, batch):
    problem, alone = Problem(inputs, 21, batch), Problem(inputs, 21, 1)
    alone.weight, alone.bias = problem.weight, problem.bias
    for image, y in zip(problem.images, problem.vectors(problem.outputs()), strict=True):
        alone.images = image[None]
        np.testing.assert_array_equal(alone.vectors(alone.outputs())[0], y)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), batch=st.sampled_from([1, 3, UNIT_IMAGES + 5]))
def test_every_split_of_the_work_gives_the_same_bits(seed, batch):
    outputs = 3 * UNIT_OUTPUTS + 5
    problem = Problem(50, outputs, batch, seed)
    units = lower_dense(problem.x, problem.y, PLAIN, problem.weight, None)(batch).units
    assert units >= 4
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(problem.outputs(ranges=ranges), problem.outputs())


@pytest.mark.parametrize("batch", [1, 6])
def test_a_lower_bound_clamps_and_lets_nan_through(batch):
    problem = Problem(37, 29, batch)
    problem.weight[7] = np.nan
    plain = problem.vectors(problem.outputs())
    clamped = problem.vectors(problem.outputs(Epilogue(low=0.0)))
    assert np.isnan(plain).sum() == batch
    np.testing.assert_array_equal(clamped, np.maximum(plain, 0.0))


@pytest.mark.parametrize("batch", [1, UNIT_IMAGES + 3])
def test_an_activation_meets_every_output_once(batch):
    problem = Problem(20, UNIT_OUTPUTS + 10, batch)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    np.testing.assert_array_equal(
        problem.vectors(activated), problem.vectors(plain) + np.float32(1)
    )
    assert (outside(problem.y, activated, batch) == UNTOUCHED).all()


def test_without_a_bias_outputs_are_plain_dot_products():
    problem = Problem(10, 10, 2)
    with_zeros = Problem(10, 10, 2)
    with_zeros.bias[:] = 0.0
    problem.bias = None
    np.testing.assert_array_equal(problem.outputs(), with_zeros.outputs())


def test_the_inner_loops_keep_their_vectors_in_registers():
    problem = Problem(10, 10, 2)
    call = lower_dense(problem.x, problem.y, PLAIN, problem.weight, problem.bias)(2)
    # Two tiles, and what does not fill a vector of one image; the longest loop is over the images
    # of which some products do not.
    for loop in sorted(hot_loops(call.kernel), key=len)[:3]:
        assert not [line for line in loop if "rsp" in line or "[sp" in line]
