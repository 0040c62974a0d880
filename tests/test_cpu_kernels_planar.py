"""Convolution of one map with vectors over pixels, against the defining sum."""

import re

import numpy as np
import pytest
from conv_problem import ConvProblem
from cpu_kernel_driver import ADD_ONE, UNTOUCHED, cells, hot_loops, outside, pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.backends.cpu.lowering.conv_planar import fits_planar, lower_conv_planar, most_maps
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target

HOST = Target.host()


class Problem(ConvProblem):
    """A convolution of one map."""

    lowering = staticmethod(lower_conv_planar)


@st.composite
def shapes(draw, lanes: int) -> ConvShape:
    def pair(low: int, high: int):
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    return ConvShape(
        size=(draw(st.integers(1, 6)), draw(st.integers(lanes, 5 * lanes))),
        in_maps=1,
        out_maps=draw(st.integers(1, most_maps(HOST))),
        kernel=pair(1, 5),
        stride=(draw(st.integers(1, 3)), 1),
        padding=pair(0, 2),
        dilation=pair(1, 2),
    )


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(),
    lanes=st.sampled_from([4, 8, 16]),
    batch=st.integers(1, 3),
    halo=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_a_convolution_of_planes_is_the_defining_sum_and_writes_nothing_else(
    data, lanes, batch, halo
):
    problem = Problem(data.draw(shapes(lanes)), batch, halo)
    problem.check(problem.outputs(how=lanes))


@settings(deadline=None, max_examples=20)
@given(shape=shapes(HOST.lanes), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_every_split_of_the_work_and_the_direct_kernel_give_the_same_bits(shape, batch, seed):
    problem, direct = Problem(shape, batch, seed=seed), ConvProblem(shape, batch, seed=seed)
    ranges = pieces(problem.lower()(batch).units, np.random.default_rng(seed))
    whole = problem.outputs()
    np.testing.assert_array_equal(problem.outputs(ranges=ranges), whole)
    np.testing.assert_array_equal(direct.outputs(), whole)


@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize("rows", [1, 6, 7])
def test_rows_whose_vectors_fill_no_tile_share_a_unit(lanes, rows):
    problem = Problem(ConvShape((rows, 7 * lanes), 1, most_maps(HOST), (5, 5)), 2)
    assert problem.lower(how=lanes)(2).units == 2 * (3 if rows == 6 else rows)
    problem.check(problem.outputs(how=lanes))


def test_bounds_clamp_and_let_nan_through():
    problem = Problem(ConvShape((5, 21), 1, 3, (3, 3)), 2)
    problem.images[0, 0, 0] = np.nan
    plain = cells(problem.y, problem.outputs(), 2)
    clamped = cells(problem.y, problem.outputs(Epilogue(0.0, 0.5)), 2)
    assert np.isnan(plain[0, 0, 0]).all()
    np.testing.assert_array_equal(clamped, np.clip(plain, 0.0, 0.5))


@pytest.mark.parametrize("halo", [(0, 0, 0, 0), (1, 0, 2, 1)])
@pytest.mark.parametrize("width", [16, 21])
def test_an_activation_meets_every_output_once(width, halo):
    problem = Problem(ConvShape((7, width), 1, 4, (3, 3)), 2, halo)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    np.testing.assert_array_equal(
        cells(problem.y, activated, 2), cells(problem.y, plain, 2) + np.float32(1)
    )
    assert (outside(problem.y, activated, 2) == UNTOUCHED).all()


def test_it_is_for_one_map_taken_step_by_step_to_few():
    few = ConvShape((28, 28), 1, most_maps(HOST), (5, 5))
    assert fits_planar(few, HOST)
    assert not fits_planar(ConvShape((28, 28), 3, 4, (5, 5)), HOST)
    assert not fits_planar(ConvShape((28, 28), 1, most_maps(HOST) + 1, (5, 5)), HOST)
    assert not fits_planar(ConvShape((28, 28), 1, 4, (5, 5), (2, 2)), HOST)
    assert not fits_planar(ConvShape((28, HOST.lanes - 1), 1, 4, (5, 5)), HOST)


@pytest.mark.parametrize("maps", range(1, most_maps(HOST) + 1))
def test_the_inner_loop_keeps_its_vectors_in_registers(maps):
    problem = Problem(ConvShape((5, 8 * HOST.lanes), 1, maps, (3, 3)), 1)
    (loop,) = hot_loops(problem.lower()(1).kernel)
    assert not [line for line in loop if re.search(r"mm\d.*sp\)|\[sp", line)]
