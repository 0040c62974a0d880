"""The dense kernels against the matrix product, for every shape, batch and split of work."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from cpu_kernel_driver import ADD_ONE, UNTOUCHED, hot_loops, outside, pieces
from dense_problem import DenseProblem
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.backends.cpu.lowering import dense, dense_images
from cnndsl.backends.cpu.lowering.dense import DenseTile, dense_tile, lower_dense
from cnndsl.backends.cpu.lowering.dense_images import (
    DenseImagesTile,
    dense_images_tile,
    lower_dense_images,
)
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target


@dataclass(frozen=True)
class Way:
    """A kernel for dense layers: its lowering and tiles, and the sizes at which it cuts."""

    name: str
    lower: Callable
    tiles: tuple
    inputs: int
    outputs: int
    images: int

    def problem(self, inputs: int, outputs: int, batch: int, seed: int = 0) -> DenseProblem:
        """A layer that the kernel is to compute."""
        return DenseProblem(self.lower, inputs, outputs, batch, seed)


WAYS = (
    Way(
        "few images",
        lower_dense,
        (dense_tile(Target.host()), DenseTile(2, 3, 4), DenseTile(4, 2, 16)),
        dense.DEPTH,
        dense.UNIT_OUTPUTS,
        dense.UNIT_IMAGES,
    ),
    Way(
        "many images",
        lower_dense_images,
        (dense_images_tile(Target.host()), DenseImagesTile(4, 6, 4), DenseImagesTile(1, 12, 16)),
        dense_images.DEPTH,
        dense_images.UNIT_OUTPUTS,
        dense_images.UNIT_IMAGES,
    ),
)
ways = st.sampled_from(WAYS)
each_way = pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])


@settings(deadline=None, max_examples=100)
@given(data=st.data(), way=ways)
def test_dense_is_the_matrix_product_and_writes_nothing_else(data, way):
    inputs = data.draw(st.integers(1, 2 * way.inputs + 20))
    outputs = data.draw(st.integers(1, way.outputs + 40))
    batch = data.draw(st.sampled_from([1, 2, 3, 4, 5, 17, way.images + 1]))
    problem = way.problem(inputs, outputs, batch)
    problem.check(problem.outputs(tile=data.draw(st.sampled_from(way.tiles))))


@each_way
def test_one_input_and_one_output_are_a_product(way):
    problem = way.problem(1, 1, way.images + 1)
    problem.check(problem.outputs())


@settings(deadline=None, max_examples=30)
@given(data=st.data(), way=ways)
def test_an_image_has_the_same_bits_alone_as_in_a_batch(data, way):
    inputs = data.draw(st.integers(1, 2 * way.inputs + 20))
    batch = data.draw(st.integers(2, way.images + 5))
    problem, alone = (
        way.problem(inputs, 21, batch),
        way.problem(inputs, 21, 1),
    )
    alone.weight, alone.bias = problem.weight, problem.bias
    for image, y in zip(problem.images, problem.vectors(problem.outputs()), strict=True):
        alone.images = image[None]
        np.testing.assert_array_equal(alone.vectors(alone.outputs())[0], y)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), way=ways, kept=st.booleans(), data=st.data())
def test_every_split_of_the_work_gives_the_same_bits(seed, way, kept, data):
    batch = data.draw(st.sampled_from([1, 3, way.images + 5]))
    problem = way.problem(50, 3 * way.outputs + 5, batch, seed)
    units = problem.call().units
    assert units >= 4
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(problem.outputs(ranges=ranges, kept=kept), problem.outputs())


@each_way
@pytest.mark.parametrize("batch", [1, 6])
def test_a_lower_bound_clamps_and_lets_nan_through(way, batch):
    problem = way.problem(37, 29, batch)
    problem.weight[7] = np.nan
    plain = problem.vectors(problem.outputs())
    clamped = problem.vectors(problem.outputs(Epilogue(low=0.0)))
    assert np.isnan(plain).sum() == batch
    np.testing.assert_array_equal(clamped, np.maximum(plain, 0.0))


@each_way
@pytest.mark.parametrize("more", [None, 3])
def test_an_activation_meets_every_output_once(way, more):
    batch = 1 if more is None else way.images + more
    problem = way.problem(20, way.outputs + 10, batch)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    np.testing.assert_array_equal(
        problem.vectors(activated), problem.vectors(plain) + np.float32(1)
    )
    assert (outside(problem.y, activated, batch) == UNTOUCHED).all()


@each_way
def test_without_a_bias_outputs_are_plain_dot_products(way):
    problem, with_zeros = way.problem(10, 10, 2), way.problem(10, 10, 2)
    with_zeros.bias[:] = 0.0
    problem.bias = None
    np.testing.assert_array_equal(problem.outputs(), with_zeros.outputs())


@each_way
def test_the_inner_loops_keep_their_vectors_in_registers(way):
    loops = sorted(hot_loops(way.problem(10, 10, 2).call().kernel), key=len)
    # For few images two tiles, and what does not fill a vector of one image; the longest loop is
    # over the images of which some products do not.
    for loop in loops[:3]:
        assert not [line for line in loop if "rsp" in line or "[sp" in line]


def test_lanes_are_for_batches_that_fill_most_of_them():
    whole = dense_images_tile(Target.host()).images
    assert dense_images.images_fill_lanes(whole)
    assert dense_images.images_fill_lanes(4 * whole)
    assert not dense_images.images_fill_lanes(1)
    assert not dense_images.images_fill_lanes(whole + 1)
