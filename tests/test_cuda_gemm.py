"""The matrix kernels of the CUDA target against the defining sum, in the simulator."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import bound

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if not SIMULATED:
    pytest.skip("needs NUMBA_ENABLE_CUDASIM=1", allow_module_level=True)

from cuda_gemm import UNITS, Problem, convolutions

from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.shapes.conv_tile import Tile
from cnndsl.backends.cuda.tiles import TileLaunch

# Every thread of a simulated block is a thread of Python, so tiles are as small as they can be.
FLOAT_TILES = [
    Tile(8, 8, 4, 2, 4, 4),
    Tile(8, 16, 8, 3, 2, 4),
    Tile(16, 8, 4, 4, 8, 8, asynchronous=0),
    Tile(8, 8, 4, 2, 4, 4, vector=1),
    Tile(16, 8, 8, 3, 4, 4, vector=1),
    Tile(4, 16, 4, 2, 2, 8, vector=1, asynchronous=0),
]
CORE_TILES = {
    "tf32": [
        Tile(16, 8, 8, 2, 1, 1, "tf32"),
        Tile(32, 16, 16, 3, 1, 2, "tf32", vector=1),
        Tile(32, 16, 8, 2, 2, 1, "tf32"),
    ],
    "float16": [
        Tile(16, 8, 16, 2, 1, 1, "float16"),
        Tile(32, 16, 32, 2, 2, 1, "float16", vector=1),
        Tile(16, 16, 16, 3, 1, 2, "float16_short", asynchronous=0),
        Tile(32, 8, 8, 2, 1, 1, "float16_short", vector=1, asynchronous=0),
    ],
    "bfloat16": [
        Tile(16, 8, 16, 2, 1, 1, "bfloat16"),
        Tile(32, 16, 16, 3, 1, 2, "bfloat16", vector=1),
    ],
}


@st.composite
def problems(draw, tiles: list[Tile]) -> tuple[Problem, TileLaunch]:
    tile = draw(st.sampled_from(tiles))
    convolution = draw(convolutions(tile.vector))
    return Problem(convolution, draw(st.integers(0, 99))), TileLaunch(convolution, tile)


@settings(deadline=None, max_examples=40)
@given(case=problems(FLOAT_TILES), adds=st.booleans())
def test_a_tiled_convolution_is_the_defining_sum_and_writes_nothing_else(case, adds):
    problem, launch = case
    want, magnitude = problem.expected(adds)
    allowed = bound(launch.convolution.reduction + 2, magnitude)
    problem.check(problem.by_tiles(launch, adds), want, allowed)


@pytest.mark.parametrize("precision", CORE_TILES)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_tensor_cores_stay_within_the_rounding_of_their_factors(precision, data):
    problem, launch = data.draw(problems(CORE_TILES[precision]))
    want, magnitude = problem.expected()
    # Both factors of a product are rounded, and sums as in float32.
    unit = UNITS[precision]
    allowed = (2 * unit + unit**2) * magnitude + bound(launch.convolution.reduction + 2, magnitude)
    problem.check(problem.by_tiles(launch), want, allowed)


@settings(deadline=None, max_examples=15)
@given(case=problems(FLOAT_TILES), splits=st.integers(2, 5), adds=st.booleans())
def test_split_sums_are_the_defining_sum(case, splits, adds):
    c, tile = case[1].convolution, case[1].tile
    # Splits are added as if all pixels lay in one row.
    pixel = c.y.pixel
    c = replace(c, y=Strides(c.size[0] * c.size[1] * pixel, c.size[1] * pixel, pixel))
    problem, launch = Problem(c), TileLaunch(c, tile, splits)
    want, magnitude = problem.expected(adds)
    allowed = bound(c.reduction + splits + 2, magnitude)
    problem.check(problem.by_tiles(launch, adds), want, allowed)


def test_relu_is_applied_after_bias_and_shortcut():
    size = (3, 3)
    c = Convolution(2, size, size, 4, 8, Strides.dense(size, 4), Strides.dense(size, 8))
    problem = Problem(c)
    want, magnitude = problem.expected(adds=True)
    for splits in (1, 2):
        launch = TileLaunch(c, FLOAT_TILES[0], splits)
        y = problem.by_tiles(launch, True, "relu")
        problem.check(y, np.maximum(want, 0), bound(c.reduction + 4, magnitude))


def test_what_is_not_a_number_reaches_the_pixels_that_read_it_and_no_others():
    size = (5, 5)
    strides = Strides.dense(size, 4)
    c = Convolution(1, size, size, 4, 4, strides, strides, (3, 3), padding=(1, 1))
    problem = Problem(c)
    problem.x[0, 0, 0, 0] = np.nan
    y = problem.by_tiles(TileLaunch(c, FLOAT_TILES[0])).reshape(5, 5, 4)
    assert np.isnan(y[:2, :2]).all()
    assert not np.isnan(y[2:]).any()
    assert not np.isnan(y[:, 2:]).any()
