"""The convolution kernels against the defining sum, for every shape, batch and split of work."""

import platform
import re
from dataclasses import replace

import numpy as np
import pytest
from conv_problem import ConvProblem as Problem
from cpu_kernel_driver import (
    ADD_ONE,
    UNTOUCHED,
    cells,
    hot_loops,
    multiplications,
    outside,
    pieces,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.backends.cpu.lowering import conv_direct
from cnndsl.backends.cpu.lowering.conv_depthwise import lower_conv_depthwise
from cnndsl.backends.cpu.lowering.conv_direct import RUNS, DirectConv, Tile, best_tile, tiles
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target

AVX512 = Target("znver4", (), lanes=16, registers=32)
HOST = tiles(Target.host())
OTHERS = (Tile(4, 2, 4), Tile(3, 1, 16))  # lanes of NEON, of AVX-512


class Depthwise(Problem):
    """A convolution of each map by itself."""

    lowering = staticmethod(lower_conv_depthwise)


@st.composite
def shapes(draw) -> ConvShape:
    def pair(low: int, high: int):
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    return ConvShape(
        size=pair(1, 9),
        in_maps=groups * draw(st.integers(1, 20)),
        out_maps=groups * draw(st.integers(1, 40)),
        kernel=pair(1, 4),
        stride=pair(1, 3),
        padding=pair(0, 2),
        dilation=pair(1, 2),
        groups=groups,
    )


@settings(deadline=None, max_examples=60)
@given(
    shape=shapes(),
    batch=st.integers(1, 3),
    tile=st.sampled_from(HOST + OTHERS),
    halo=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_direct_convolution_is_the_defining_sum_and_writes_nothing_else(shape, batch, tile, halo):
    problem = Problem(shape, batch, halo)
    problem.check(problem.outputs(how=tile))


@settings(deadline=None, max_examples=20)
@given(
    batch=st.integers(1, 5),
    tile=st.sampled_from(HOST),
    seed=st.integers(0, 99),
    kept=st.booleans(),
)
def test_every_split_of_the_work_gives_the_same_bits(batch, tile, seed, kept):
    problem = Problem(ConvShape((30, 31), 5, 70, (3, 3), padding=(1, 1)), batch, seed=seed)
    units = problem.lower(how=tile)(batch).units
    assert units > 2
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(
        problem.outputs(how=tile, ranges=ranges, kept=kept), problem.outputs(how=tile)
    )


@settings(deadline=None, max_examples=30)
@given(
    shape=shapes(),
    batch=st.integers(1, 3),
    tile=st.sampled_from(HOST + OTHERS),
    halo=st.tuples(*[st.integers(0, 2)] * 4),
    seed=st.integers(0, 99),
)
def test_outputs_are_added_to_what_their_memory_holds(shape, batch, tile, halo, seed):
    problem = Problem(shape, batch, halo, seed)
    plain = cells(problem.y, problem.outputs(how=tile), batch)
    before = np.random.default_rng(seed).standard_normal(plain.shape, np.float32)
    sums = problem.outputs(Epilogue(low=0.0, onto=True), tile, before=before)
    np.testing.assert_array_equal(cells(problem.y, sums, batch), np.maximum(plain + before, 0.0))
    assert (outside(problem.y, sums, batch) == UNTOUCHED).all()


@settings(deadline=None, max_examples=20)
@given(shape=shapes(), batch=st.integers(2, 5))
def test_an_image_has_the_same_bits_alone_as_in_a_batch(shape, batch):
    problem, alone = Problem(shape, batch), Problem(shape, 1)
    together = cells(problem.y, problem.outputs(), batch)
    for image, y in zip(problem.images, together, strict=True):
        alone.images, alone.weight, alone.bias = image[None], problem.weight, problem.bias
        np.testing.assert_array_equal(cells(alone.y, alone.outputs(), 1)[0], y)


@settings(deadline=None, max_examples=10)
@given(
    tile=st.sampled_from(HOST + OTHERS),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    width=st.sampled_from([(1, 1, 1024), (2, 2, 512), (1, 2, 500), (1, 1, 250)]),
    batch=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_pixels_whole_pages_apart_are_copied_and_sum_to_the_same_bits(
    tile, size, width, batch, seed
):
    down, right, maps = width
    problem = Problem(ConvShape(size, maps, 260, (1, 1), (down, right)), batch, seed=seed)
    call = problem.lower(how=tile)(batch)
    assert bool(call.fields.staged) == (right * maps % 1024 == 0)
    ranges = pieces(call.units, np.random.default_rng(seed))
    copied = problem.outputs(how=tile, ranges=ranges, kept=bool(seed % 2))
    problem.check(copied)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_direct, "STAGED_MAPS", 261)
        assert not problem.lower(how=tile)(batch).fields.staged
        np.testing.assert_array_equal(problem.outputs(how=tile), copied)


@settings(deadline=None, max_examples=10)
@given(shape=shapes(), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_asking_for_the_next_block_changes_nothing(shape, batch, seed):
    problem = Problem(shape, batch, seed=seed)
    assert not problem.lower()(batch).fields.ahead  # so little stays in the caches
    plain = problem.outputs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_direct, "FLOATS_IN_CACHES", 0)
        assert problem.lower()(batch).fields.ahead
        ranges = pieces(problem.lower()(batch).units, np.random.default_rng(seed))
        np.testing.assert_array_equal(problem.outputs(ranges=ranges), plain)


def test_bounds_clamp_and_let_nan_through():
    problem = Problem(ConvShape((5, 5), 3, 17, (3, 3)), 1)
    problem.images[0, 0, 0] = np.nan
    plain = cells(problem.y, problem.outputs(), 1)
    clamped = cells(problem.y, problem.outputs(Epilogue(0.0, 0.5)), 1)
    assert np.isnan(plain[0, 0, 0]).all()
    assert not np.isnan(plain[0, 3:]).any()
    np.testing.assert_array_equal(clamped, np.clip(plain, 0.0, 0.5))


@pytest.mark.parametrize("halo", [(0, 0, 0, 0), (1, 0, 2, 1)])
@pytest.mark.parametrize("maps", [6, 32, 70])
def test_an_activation_meets_every_output_once(maps, halo):
    problem = Problem(ConvShape((17, 19), 8, maps, (3, 3)), 2, halo)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    np.testing.assert_array_equal(
        cells(problem.y, activated, 2), cells(problem.y, plain, 2) + np.float32(1)
    )
    assert (outside(problem.y, activated, 2) == UNTOUCHED).all()


def test_a_unit_that_is_activated_is_smaller_than_the_cache():
    shape = ConvShape((28, 28), 80, 480, (1, 1))
    tile = best_tile(shape, Target.host())
    plain, activated = (DirectConv(shape, tile, returns).units(1) for returns in (False, True))
    assert plain.pixels * shape.out_maps > conv_direct.FLOATS_IN_CACHE
    assert activated.pixels * shape.out_maps < conv_direct.FLOATS_IN_CACHE


def test_the_best_tile_fits_the_maps():
    host = Target.host()
    few = ConvShape((28, 28), 1, host.lanes, (5, 5))
    many = ConvShape((28, 28), 64, 8 * host.lanes, (3, 3))
    assert best_tile(few, host).vectors == 1
    assert best_tile(many, host).vectors > 1


@pytest.mark.parametrize(("maps", "run"), [(8, 4), (9, 3), (10, 2), (7, 1)])
def test_what_lies_side_by_side_is_taken_in_runs(maps, run):
    call = Problem(ConvShape((5, 5), maps, 8, (3, 1)), 1).lower()(1)
    assert call.kernel.parameters[-1] == run
    assert call.fields.runs * run == call.fields.reduction


@pytest.mark.parametrize("tile", HOST)
@pytest.mark.parametrize(("maps", "run"), [(8, 4), (9, 3), (7, 1)])
def test_the_inner_loop_keeps_its_vectors_in_registers(tile, maps, run):
    call = Problem(ConvShape((5, 5), maps, 8, (2, 1)), 1).lower(how=tile)(1)
    (loop,) = hot_loops(call.kernel)
    assert multiplications(loop) == run * tile.pixels * tile.vectors
    # Eight rows take so many addresses that an older LLVM leaves one in memory, or the loop's end:
    # a load a turn, of no vector.
    from_memory = [line for line in loop if "rsp" in line or "[sp" in line]
    vectors = [line for line in from_memory if re.search(r"mm\d|\bq\d", line)]
    assert not (vectors if tile.pixels >= 8 else from_memory)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86-64 assembly")
@pytest.mark.parametrize("tile", tiles(AVX512))
def test_the_inner_loop_keeps_to_the_registers_of_avx512(tile):
    call = Problem(ConvShape((5, 5), 8, 8, (3, 3)), 1).lower(how=tile)(1)
    (loop,) = hot_loops(call.kernel, cpu="znver4")
    assert multiplications(loop) == RUNS[0] * tile.pixels * tile.vectors
    assert any("zmm" in line for line in loop)
    assert not [line for line in loop if "rsp" in line and "mm" in line]


@settings(deadline=None, max_examples=40)
@given(
    shape=shapes(),
    groups=st.integers(1, 40),
    each=st.sampled_from([1, 2, 4]),
    batch=st.integers(1, 3),
    lanes=st.sampled_from([4, 8, 16]),
    halo=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_convolution_of_small_groups_is_the_defining_sum(shape, groups, each, batch, lanes, halo):
    shape = replace(shape, in_maps=groups * each, out_maps=groups * each, groups=groups)
    problem = Depthwise(shape, batch, halo)
    problem.check(problem.outputs(how=lanes))


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99))
def test_every_split_of_a_depthwise_convolution_gives_the_same_bits(seed):
    problem = Depthwise(ConvShape((40, 41), 70, 70, (3, 3), groups=70), 2, seed=seed)
    units = problem.lower()(2).units
    assert units > 2
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(problem.outputs(ranges=ranges), problem.outputs())


@pytest.mark.parametrize(("stride", "ahead"), [((1, 1), 1), ((2, 2), 2), ((3, 1), 3), ((5, 1), 3)])
def test_a_depthwise_convolution_of_a_large_image_asks_for_rows_and_is_the_sum(stride, ahead):
    shape = ConvShape((6, 32), 96, 96, (3, 3), stride, groups=96)
    far = replace(shape, size=(90 // stride[0], shape.size[1]))
    assert Depthwise(shape, 1).lower()(1).kernel.parameters[-1] == 0
    problem = Depthwise(far, 2)
    assert problem.lower()(2).kernel.parameters[-1] == ahead
    problem.check(problem.outputs())


def test_a_depthwise_convolution_clamps_lets_nan_through_and_activates():
    problem = Depthwise(ConvShape((6, 5), 19, 19, (3, 3), groups=19), 2, halo=(1, 1, 1, 1))
    problem.images[0, 0, 0] = np.nan
    plain = problem.outputs()
    done = problem.outputs(Epilogue(low=0.0), activation=ADD_ONE.address)
    want = np.maximum(cells(problem.y, plain, 2), 0.0) + np.float32(1)
    assert np.isnan(want).any()
    np.testing.assert_array_equal(cells(problem.y, done, 2), want)
    assert (outside(problem.y, done, 2) == UNTOUCHED).all()


@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (7, 7), (1, 31)])
@pytest.mark.parametrize("size", [(6, 5), (7, 7), (8, 56)])
@pytest.mark.parametrize("groups", [64, 32, 16])
def test_the_depthwise_loop_keeps_its_vectors_in_registers(size, kernel, groups):
    problem = Depthwise(ConvShape(size, 64, 64, kernel, groups=groups), 1)
    (loop,) = hot_loops(problem.lower()(1).kernel)
    assert not [line for line in loop if re.search(r"mm\d.*sp\)|\[sp", line)]
