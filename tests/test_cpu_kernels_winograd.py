"""The Winograd kernel against the plain convolution, for every size, batch and split of work."""

import numpy as np
import pytest
from conv_problem import ConvProblem
from cpu_kernel_driver import ADD_ONE, UNTOUCHED, cells, hot_loops, multiplications, outside, pieces
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import winograd_bound

from cnndsl.backends.cpu.lowering.conv_direct import Tile, tiles
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.conv_winograd import (
    WinogradConv,
    lower_conv_winograd,
    weight_matrix,
)
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

MACHINE = Target.host()
HOST = tiles(MACHINE)
OTHERS = (Tile(4, 2, 4), Tile(3, 1, 16))  # lanes of NEON, of AVX-512


class Problem(ConvProblem):
    """A convolution whose input has the halo that squares read."""

    lowering = staticmethod(lower_conv_winograd)

    def __init__(self, shape: ConvShape, batch: int, halo=(0, 0, 0, 0), seed: int = 0) -> None:
        super().__init__(shape, batch, halo, seed)
        halo = WinogradConv.of(shape, MACHINE).halo(self.x.image[:2])
        self.x = Buffer("x", self.x.image, "input", halo=halo)

    def check(self, y: np.ndarray) -> None:
        want, magnitude = self.expected()
        assert abs(cells(self.y, y, self.batch) - want).max() <= winograd_bound(magnitude)
        assert (outside(self.y, y, self.batch) == UNTOUCHED).all()


@st.composite
def shapes(draw) -> ConvShape:
    r = draw(st.sampled_from([3, 5]))
    size = draw(st.integers(r, 14)), draw(st.integers(r, 14))
    maps = draw(st.integers(16, 40)), draw(st.integers(1, 40))
    padding = draw(st.integers(0, r // 2)), draw(st.integers(0, r // 2))
    return ConvShape(size, *maps, kernel=(r, r), padding=padding)


@settings(deadline=None, max_examples=40)
@given(
    shape=shapes(),
    batch=st.integers(1, 3),
    tile=st.sampled_from(HOST + OTHERS),
    halo=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_winograd_is_the_convolution_and_writes_nothing_else(shape, batch, tile, halo):
    problem = Problem(shape, batch, halo)
    problem.check(problem.outputs(how=tile))


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), batch=st.integers(1, 4))
def test_every_split_of_the_work_gives_the_same_bits(seed, batch):
    problem = Problem(ConvShape((40, 41), 16, 50, (3, 3), padding=(1, 1)), batch, seed=seed)
    units = problem.lower()(batch).units
    assert units > 2
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(problem.outputs(ranges=ranges), problem.outputs())


@settings(deadline=None, max_examples=10)
@given(shape=shapes(), batch=st.integers(2, 4))
def test_an_image_has_the_same_bits_alone_as_in_a_batch(shape, batch):
    problem, alone = Problem(shape, batch), Problem(shape, 1)
    together = cells(problem.y, problem.outputs(), batch)
    for image, y in zip(problem.images, together, strict=True):
        alone.images, alone.weight, alone.bias = image[None], problem.weight, problem.bias
        np.testing.assert_array_equal(cells(alone.y, alone.outputs(), 1)[0], y)


def test_a_lower_bound_clamps_and_lets_nan_through():
    problem = Problem(ConvShape((9, 9), 16, 20, (3, 3)), 1)
    problem.images[0, 0, 0] = np.nan
    plain = cells(problem.y, problem.outputs(), 1)
    clamped = cells(problem.y, problem.outputs(Epilogue(low=0.0)), 1)
    assert np.isnan(plain[0, 0, 0]).all()
    assert not np.isnan(plain[0, 4:]).any()
    np.testing.assert_array_equal(clamped, np.maximum(plain, 0.0))


@pytest.mark.parametrize("halo", [(0, 0, 0, 0), (1, 0, 2, 1)])
@pytest.mark.parametrize("maps", [6, 32, 70])
def test_an_activation_meets_every_output_once(maps, halo):
    problem = Problem(ConvShape((9, 11), 16, maps, (3, 3)), 2, halo)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    want = cells(problem.y, plain, 2) + np.float32(1)
    np.testing.assert_array_equal(cells(problem.y, activated, 2), want)
    assert (outside(problem.y, activated, 2) == UNTOUCHED).all()


def test_the_filter_is_evaluated_at_the_points():
    np.testing.assert_allclose(
        weight_matrix(3),
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ],
    )


def test_only_plain_convolutions_of_enough_maps_fit():
    fits = ConvShape((9, 9), 64, 64, (3, 3))
    others = [
        ConvShape((9, 9), 3, 64, (3, 3)),
        ConvShape((9, 9), 64, 64, (3, 5)),
        ConvShape((9, 9), 64, 64, (7, 7)),
        ConvShape((9, 9), 64, 64, (3, 3), stride=(2, 2)),
        ConvShape((9, 9), 64, 64, (3, 3), dilation=(2, 1)),
        ConvShape((9, 9), 64, 64, (3, 3), groups=2),
    ]
    assert WinogradConv.fits(fits, MACHINE)
    assert not any(WinogradConv.fits(shape, MACHINE) for shape in others)


@pytest.mark.parametrize("tile", HOST)
def test_the_inner_loop_keeps_its_vectors_in_registers(tile):
    call = Problem(ConvShape((9, 9), 16, 16, (3, 3)), 1).lower(how=tile)(1)
    sums = tile.pixels * tile.vectors
    (loop,) = [loop for loop in hot_loops(call.kernel) if multiplications(loop) == sums]
    assert not [line for line in loop if "rsp" in line or "[sp" in line]
