"""The Winograd kernel against the plain convolution, for every size, batch and split of work."""

import platform
import re
from dataclasses import replace

import numpy as np
import pytest
from conv_problem import ConvProblem
from cpu_kernel_driver import ADD_ONE, UNTOUCHED, cells, hot_loops, multiplications, outside, pieces
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding
from tolerances import winograd_bound

from cnndsl.backends.cpu.lowering.conv_direct import Tile
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.conv_winograd import (
    MOST_ROWS,
    TAKEN,
    WinogradConv,
    lower_conv_winograd,
    winograd_tiles,
)
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.space_to_depth import space_to_depth
from cnndsl.backends.cpu.lowering.winograd_half import HalfWinogradConv, half_tiles
from cnndsl.backends.cpu.lowering.winograd_points import (
    PAIRS,
    half_points,
    tap_scales,
    weight_matrix,
)
from cnndsl.backends.cpu.lowering.winograd_ways import (
    MOST_ERROR_RATIO,
    SIDES,
    named_way,
    winograd_name,
    winograd_ways,
)
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

MACHINE = Target.host()
HOST = winograd_tiles(MACHINE)
AVX512 = replace(MACHINE, lanes=16, registers=32)
WAYS = (  # taps, outputs of a square and tile
    *[((3, 3), (6, 6), tile) for tile in HOST],
    *[((3, 3), (outputs, outputs), HOST[0]) for outputs in (2, 3, 4, 5)],
    *[((5, 5), (outputs, outputs), HOST[0]) for outputs in (2, 4)],
    *[((3, 3), outputs, HOST[0]) for outputs in ((4, 2), (1, 5), (7, 4), (5, 7))],
    *[(taps, outputs, HOST[0]) for taps, outputs in (((1, 7), (1, 2)), ((5, 3), (2, 6)))],
    ((3, 3), (4, 4), Tile(4, 2, 4)),  # lanes of NEON
    ((3, 3), (5, 5), Tile(3, 1, 16)),  # lanes of AVX-512
)
HALF_WAYS = (  # of weights half-way: taps, outputs of a square, tile and vector registers
    *[((3, 3), (4, 4), tile, MACHINE.registers) for tile in half_tiles(MACHINE)],
    *[
        (taps, outputs, half_tiles(MACHINE)[0], MACHINE.registers)
        for taps, outputs in (
            *[((3, 3), (outputs, outputs)) for outputs in (2, 3, 5, 6)],
            *[((3, 3), outputs) for outputs in ((7, 4), (4, 7), (1, 6), (5, 2))],
            *[((5, 5), (4, 4)), ((2, 2), (3, 4)), ((1, 7), (1, 2)), ((5, 3), (2, 6))],
        )
    ],
    ((3, 3), (4, 4), Tile(8, 1, 4), 32),  # of NEON
    ((3, 3), (5, 5), Tile(3, 1, 16), 32),  # and of AVX-512
)


class Problem(ConvProblem):
    """A convolution whose input has the halo that squares read, in one way or the first of many."""

    def __init__(
        self,
        shape: ConvShape,
        batch: int,
        halo=(0, 0, 0, 0),
        seed: int = 0,
        way: WinogradConv | None = None,
    ) -> None:
        super().__init__(shape, batch, halo, seed)
        self.way = way or winograd_ways(shape, MACHINE)[0]
        self.x = Buffer("x", self.x.image, "input", halo=self.way.halo(self.x.image[:2]))

    def lowering(self, *operands):
        return lower_conv_winograd(self.way, *operands[1:-1])

    def check(self, y: np.ndarray) -> None:
        want, magnitude = self.expected()
        assert abs(cells(self.y, y, self.batch) - want).max() <= winograd_bound(magnitude)
        assert (outside(self.y, y, self.batch) == UNTOUCHED).all()


@st.composite
def shapes(draw, kernels=((3, 3), (5, 5)), least_maps: int = 16) -> ConvShape:
    r, s = draw(st.sampled_from(kernels))
    size = draw(st.integers(r, 14)), draw(st.integers(s, 14))
    maps = draw(st.integers(least_maps, 40)), draw(st.integers(1, 40))
    padding = draw(st.integers(0, r // 2)), draw(st.integers(0, s // 2))
    return ConvShape(size, *maps, kernel=(r, s), padding=padding)


@st.composite
def ways(draw) -> WinogradConv:
    taps, outputs, tile, *registers = draw(st.sampled_from([*WAYS, *HALF_WAYS]))
    shape = draw(shapes((taps,), least_maps=2))
    if registers:
        return HalfWinogradConv(shape, outputs, tile, registers=registers[0])
    return WinogradConv(shape, outputs, tile)


@settings(deadline=None, max_examples=100)
@given(way=ways(), batch=st.integers(1, 3), halo=st.tuples(*[st.integers(0, 2)] * 4))
def test_winograd_is_the_convolution_and_writes_nothing_else(way, batch, halo):
    problem = Problem(way.shape, batch, halo, way=way)
    problem.check(problem.outputs())


@settings(deadline=None, max_examples=10)
@given(
    shape=shapes(((2, 2), (4, 4), (6, 6), (7, 7), (1, 7), (7, 1), (3, 1), (1, 2), (2, 5))),
    batch=st.integers(1, 2),
)
def test_filters_of_every_side_are_computed(shape, batch):
    problem = Problem(shape, batch)
    problem.check(problem.outputs())


IN_STEPS = (  # taps, stride and input maps
    ((7, 7), (2, 2), 3),  # ResNet's first row
    ((11, 11), (4, 4), 3),  # AlexNet's
    ((3, 3), (2, 2), 9),
    ((5, 4), (2, 1), 10),
    ((2, 5), (1, 3), 11),
)


@settings(deadline=None, max_examples=20)
@given(
    row=st.sampled_from(IN_STEPS),
    outputs=st.sampled_from([(3, 3), (4, 4), (3, 4)]),
    tile=st.sampled_from([HOST[0], Tile(4, 2, 4), Tile(3, 1, 16)]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    batch=st.integers(1, 3),
)
def test_what_moves_by_several_pixels_is_computed_on_blocks_of_so_many(
    row, outputs, tile, size, padding, batch
):
    taps, stride, maps = row
    shape = ConvShape(size, maps, 20, taps, stride, padding)
    way = WinogradConv(space_to_depth(shape), outputs, tile, stride)
    problem = Problem(shape, batch, way=way)
    problem.check(problem.outputs())


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), batch=st.integers(1, 4))
def test_every_split_of_the_work_gives_the_same_bits(seed, batch):
    problem = Problem(ConvShape((60, 61), 16, 50, (3, 3), padding=(1, 1)), batch, seed=seed)
    units = problem.lower()(batch).units
    assert units > 2
    ranges = pieces(units, np.random.default_rng(seed))
    for kept in (False, True):
        split = problem.outputs(ranges=ranges, kept=kept)
        np.testing.assert_array_equal(split, problem.outputs())


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
    assert not np.isnan(plain[0, problem.way.outputs[1] :]).any()
    np.testing.assert_array_equal(clamped, np.maximum(plain, 0.0))


@pytest.mark.parametrize("halo", [(0, 0, 0, 0), (1, 0, 2, 1)])
@pytest.mark.parametrize("maps", [6, 32, 70])
def test_an_activation_meets_every_output_once(maps, halo):
    problem = Problem(ConvShape((9, 11), 16, maps, (3, 3)), 2, halo)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    want = cells(problem.y, plain, 2) + np.float32(1)
    np.testing.assert_array_equal(cells(problem.y, activated, 2), want)
    assert (outside(problem.y, activated, 2) == UNTOUCHED).all()


KERNELS = [(r, s) for r in range(1, 9) for s in range(1, 9) if r * s > 1]


@settings(deadline=None)
@given(shape=shapes(KERNELS), side=st.integers(10, 224), maps=st.integers(8, 512))
def test_all_ways_to_choose_from_are_exact_enough(shape, side, maps):
    for way in winograd_ways(replace(shape, size=(side, side), in_maps=maps), MACHINE):
        assert all(side in SIDES for side, m in zip(way.sides, way.outputs, strict=True) if m > 1)
        assert way.error_ratio <= MOST_ERROR_RATIO


@settings(deadline=None)
@given(shape=shapes(), maps=st.integers(8, 512))
def test_a_way_is_found_by_its_name(shape, maps):
    shape = replace(shape, in_maps=maps)
    for way in winograd_ways(shape, MACHINE):
        assert named_way(winograd_name(way), shape, MACHINE) == way


@pytest.mark.parametrize("side", PAIRS)
@pytest.mark.parametrize("most", [2, 3, 4, 9])
def test_groups_of_points_hold_each_once_and_pairs_together(side, most):
    groups = half_points(side, 3, most)
    assert sorted(point.number for group in groups for point in group) == list(range(side))
    assert all(len(group) <= most for group in groups)
    for group in groups:
        roots = {point.root for point in group if point.root}
        assert roots == {-root for root in roots}


@pytest.mark.parametrize("side", PAIRS)
@pytest.mark.parametrize("r", [2, 3])
def test_taps_come_to_all_points_by_the_rest_of_the_way(side, r):
    """The value of scaled taps at a root, times its scale, is the row of the matrix."""
    for point in half_points(side, r, side)[0]:
        powers = np.eye(r)[-1] if point.root is None else np.power(point.root, np.arange(r))
        row = point.scale * powers * tap_scales(side, r)
        np.testing.assert_allclose(row, weight_matrix(side, r)[point.number], rtol=1e-12)


def test_weights_half_way_are_worth_it_for_few_squares_only():
    few, many = (ConvShape((side, side), 256, 256, (3, 3), padding=(1, 1)) for side in (7, 56))
    assert any(isinstance(way, HalfWinogradConv) for way in winograd_ways(few, MACHINE))
    assert not any(isinstance(way, HalfWinogradConv) for way in winograd_ways(many, MACHINE))


def test_only_plain_convolutions_of_enough_maps_fit():
    fits = ConvShape((9, 9), 64, 64, (3, 3))
    others = [
        ConvShape((9, 9), 2, 64, (3, 3)),
        ConvShape((9, 9), 64, 64, (1, 1)),
        ConvShape((9, 9), 64, 64, (9, 9)),
        ConvShape((9, 9), 64, 64, (2, 2), stride=(2, 2)),
        ConvShape((9, 9), 1, 64, (5, 5), stride=(2, 1)),
        ConvShape((9, 9), 64, 64, (3, 3), dilation=(2, 1)),
        ConvShape((9, 9), 64, 64, (3, 3), groups=2),
    ]
    assert winograd_ways(fits, MACHINE)
    assert winograd_ways(replace(fits, kernel=(1, 7)), MACHINE)
    assert winograd_ways(replace(fits, in_maps=4), MACHINE)
    assert winograd_ways(replace(fits, in_maps=3, kernel=(7, 7), stride=(2, 2)), MACHINE)
    assert not any(winograd_ways(shape, MACHINE) for shape in others)


def product_loops(tile: Tile, cpu: str | None = None) -> list[list[str]]:
    """The assembly of the loops that compute a tile of products: alone, and one of several."""
    shape = ConvShape((9, 9), 16, 16, (3, 3))
    call = Problem(shape, 1, way=WinogradConv(shape, (6, 6), tile)).lower()(1)
    loops = [
        loop for loop in hot_loops(call.kernel, cpu) if re.search("prefetch|prfm", "".join(loop))
    ]
    taken = TAKEN if tile.pixels <= MOST_ROWS else 1
    assert [multiplications(loop) for loop in loops] == [taken * tile.pixels * tile.vectors] * 2
    return loops


@pytest.mark.parametrize("tile", HOST)
def test_the_inner_loop_keeps_its_vectors_in_registers(tile):
    for loop in product_loops(tile):
        assert not [line for line in loop if "rsp" in line or "[sp" in line]


@pytest.mark.parametrize("tile", half_tiles(MACHINE))
def test_loops_that_end_the_way_of_weights_keep_their_vectors_in_registers(tile):
    shape = ConvShape((9, 9), 16, 16, (3, 3))
    way = HalfWinogradConv(shape, (4, 4), tile, registers=MACHINE.registers)
    call = Problem(shape, 1, way=way).lower()(1)
    loops = [loop for loop in hot_loops(call.kernel) if re.search("prefetch|prfm", "".join(loop))]
    assert len(loops) == len(half_points(6, 3, way.points_at_once))
    taken = TAKEN if tile.pixels <= MOST_ROWS else 1
    for loop in loops:
        assert multiplications(loop) >= taken * tile.pixels * 2
        # LLVM 20 may read one from the stack each turn, of some forty that it multiplies.
        read = [line for line in loop if re.search(r"\(%rsp\),.*mm|\bld[pr]\s+q.*\[sp", line)]
        assert len(read) <= (binding.llvm_version_info[0] < 21)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86-64 assembly")
@pytest.mark.parametrize("tile", winograd_tiles(AVX512))
def test_the_inner_loop_keeps_to_the_registers_of_avx512(tile):
    for loop in product_loops(tile, cpu="znver4"):
        assert any("zmm" in line for line in loop)
        assert not [line for line in loop if "rsp" in line]
