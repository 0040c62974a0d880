"""The convolution kernels against the defining sum, for every shape, batch and split of work."""

import re
from dataclasses import replace

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
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from tolerances import bound

from cnndsl.backends.cpu.lowering.conv_depthwise import lower_conv_depthwise
from cnndsl.backends.cpu.lowering.conv_direct import Tile, best_tile, lower_conv_direct, tiles
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

PLAIN = Epilogue()
HOST = tiles(Target.host())
OTHERS = (Tile(4, 2, 4), Tile(3, 1, 16))  # lanes of NEON, of AVX-512


class Problem:
    """A random convolution, its memory, and what it must compute."""

    def __init__(self, shape: ConvShape, batch: int, halo=(0, 0, 0, 0), seed: int = 0) -> None:
        self.shape, self.batch = shape, batch
        rng = np.random.default_rng(seed)
        height, width = (
            (out - 1) * stride + (kernel - 1) * dilation + 1
            for out, stride, kernel, dilation in zip(
                shape.size, shape.stride, shape.kernel, shape.dilation, strict=True
            )
        )
        top, left = shape.padding
        image = max(1, height - 2 * top), max(1, width - 2 * left), shape.in_maps
        x_halo = (top, max(0, height - top - image[0]), left, max(0, width - left - image[1]))
        self.x = Buffer("x", image, "input", halo=x_halo)
        self.y = Buffer("y", (*shape.size, shape.out_maps), "output", halo=halo)
        self.images = rng.standard_normal((batch, *image), np.float32)
        weights = (shape.out_maps, shape.group_in, *shape.kernel)
        self.weight = rng.standard_normal(weights, np.float32)
        self.bias = rng.standard_normal(shape.out_maps, np.float32)

    def lower(self, epilogue: Epilogue = PLAIN, how=None, lowering=lower_conv_direct):
        return lowering(self.shape, self.x, self.y, epilogue, self.weight, self.bias, how)

    def outputs(
        self, epilogue=PLAIN, how=None, ranges=None, activation=0, lowering=lower_conv_direct
    ):
        """The memory that the kernel wrote, `how` being the lowering's tile or lanes."""
        call, y = self.lower(epilogue, how, lowering)(self.batch), blank_of(self.y, self.batch)
        run(call, memory_of(self.x, self.images), y, ranges, activation)
        return y

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        """The float64 sum, and the sum of absolute values."""
        images, weight, bias = (a.astype(float) for a in (self.images, self.weight, self.bias))
        plain = self.sum_of(images, weight) + bias
        return plain, self.sum_of(abs(images), abs(weight)) + abs(bias)

    def sum_of(self, images: np.ndarray, weight: np.ndarray) -> np.ndarray:
        s = self.shape
        top, bottom, left, right = self.x.halo
        padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
        reach = [(k - 1) * d + 1 for k, d in zip(s.kernel, s.dilation, strict=True)]
        windows = sliding_window_view(padded, reach, (1, 2))[:, :: s.stride[0], :: s.stride[1]]
        windows = windows[:, : s.size[0], : s.size[1], :, :: s.dilation[0], :: s.dilation[1]]
        windows = windows.reshape(*windows.shape[:3], s.groups, s.group_in, *s.kernel)
        filters = weight.reshape(s.groups, s.group_out, s.group_in, *s.kernel)
        y = np.einsum("nijgcuv,gocuv->nijgo", windows, filters, optimize=True)
        return y.reshape(*y.shape[:3], s.out_maps)

    def check(self, y: np.ndarray) -> None:
        """Assert that `y` holds the right numbers, and nothing else was written."""
        want, magnitude = self.expected()
        error = abs(cells(self.y, y, self.batch) - want)
        assert (error <= bound(self.shape.reduction + 1, magnitude)).all()
        assert (outside(self.y, y, self.batch) == UNTOUCHED).all()


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
@given(batch=st.integers(1, 5), tile=st.sampled_from(HOST), seed=st.integers(0, 99))
def test_every_split_of_the_work_gives_the_same_bits(batch, tile, seed):
    problem = Problem(ConvShape((30, 31), 5, 70, (3, 3), padding=(1, 1)), batch, seed=seed)
    units = problem.lower(how=tile)(batch).units
    assert units > 2
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(
        problem.outputs(how=tile, ranges=ranges), problem.outputs(how=tile)
    )


@settings(deadline=None, max_examples=20)
@given(shape=shapes(), batch=st.integers(2, 5))
def test_an_image_has_the_same_bits_alone_as_in_a_batch(shape, batch):
    problem, alone = Problem(shape, batch), Problem(shape, 1)
    together = cells(problem.y, problem.outputs(), batch)
    for image, y in zip(problem.images, together, strict=True):
        alone.images, alone.weight, alone.bias = image[None], problem.weight, problem.bias
        np.testing.assert_array_equal(cells(alone.y, alone.outputs(), 1)[0], y)


def test_a_lower_bound_clamps_and_lets_nan_through():
    problem = Problem(ConvShape((5, 5), 3, 17, (3, 3)), 1)
    problem.images[0, 0, 0] = np.nan
    plain = cells(problem.y, problem.outputs(), 1)
    clamped = cells(problem.y, problem.outputs(Epilogue(low=0.0)), 1)
    assert np.isnan(plain[0, 0, 0]).all()
    assert not np.isnan(plain[0, 3:]).any()
    np.testing.assert_array_equal(clamped, np.maximum(plain, 0.0))


@pytest.mark.parametrize("halo", [(0, 0, 0, 0), (1, 0, 2, 1)])
@pytest.mark.parametrize("maps", [6, 32, 70])
def test_an_activation_meets_every_output_once(maps, halo):
    problem = Problem(ConvShape((17, 19), 8, maps, (3, 3)), 2, halo)
    plain, activated = problem.outputs(), problem.outputs(activation=ADD_ONE.address)
    np.testing.assert_array_equal(
        cells(problem.y, activated, 2), cells(problem.y, plain, 2) + np.float32(1)
    )
    assert (outside(problem.y, activated, 2) == UNTOUCHED).all()


def test_the_best_tile_fits_the_maps():
    host = Target.host()
    few = ConvShape((28, 28), 1, host.lanes, (5, 5))
    many = ConvShape((28, 28), 64, 8 * host.lanes, (3, 3))
    assert best_tile(few, host).vectors == 1
    assert best_tile(many, host).vectors > 1


def test_kernel_rows_of_plain_convolutions_are_single_runs():
    plain = Problem(ConvShape((5, 5), 7, 8, (3, 3)), 1).lower()(1)
    dilated = Problem(ConvShape((5, 5), 7, 8, (3, 3), dilation=(2, 2)), 1).lower()(1)
    whole = Problem(ConvShape((1, 1), 7, 8, (3, 3)), 1).lower()(1)
    assert [call.fields.run_count for call in (plain, dilated, whole)] == [3, 9, 1]


@pytest.mark.parametrize("tile", HOST)
def test_the_inner_loop_keeps_its_vectors_in_registers(tile):
    call = Problem(ConvShape((5, 5), 8, 8, (3, 3)), 1).lower(how=tile)(1)
    (loop,) = hot_loops(call.kernel)
    assert sum("fmadd" in line or "fmla" in line for line in loop) == tile.pixels * tile.vectors
    assert not [line for line in loop if "rsp" in line or "[sp" in line]


@settings(deadline=None, max_examples=40)
@given(
    shape=shapes(),
    maps=st.integers(1, 40),
    batch=st.integers(1, 3),
    lanes=st.sampled_from([4, 8, 16]),
    halo=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_depthwise_convolution_is_the_defining_sum(shape, maps, batch, lanes, halo):
    shape = replace(shape, in_maps=maps, out_maps=maps, groups=maps)
    problem = Problem(shape, batch, halo)
    problem.check(problem.outputs(how=lanes, lowering=lower_conv_depthwise))


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99))
def test_every_split_of_a_depthwise_convolution_gives_the_same_bits(seed):
    problem = Problem(ConvShape((40, 41), 70, 70, (3, 3), groups=70), 2, seed=seed)
    units = problem.lower(lowering=lower_conv_depthwise)(2).units
    assert units > 2
    ranges = pieces(units, np.random.default_rng(seed))
    np.testing.assert_array_equal(
        problem.outputs(ranges=ranges, lowering=lower_conv_depthwise),
        problem.outputs(lowering=lower_conv_depthwise),
    )


def test_a_depthwise_convolution_clamps_lets_nan_through_and_activates():
    problem = Problem(ConvShape((6, 5), 19, 19, (3, 3), groups=19), 2, halo=(1, 1, 1, 1))
    problem.images[0, 0, 0] = np.nan
    plain = problem.outputs(lowering=lower_conv_depthwise)
    done = problem.outputs(
        Epilogue(low=0.0), activation=ADD_ONE.address, lowering=lower_conv_depthwise
    )
    want = np.maximum(cells(problem.y, plain, 2), 0.0) + np.float32(1)
    assert np.isnan(want).any()
    np.testing.assert_array_equal(cells(problem.y, done, 2), want)
    assert (outside(problem.y, done, 2) == UNTOUCHED).all()


def test_the_depthwise_loop_keeps_its_vectors_in_registers():
    problem = Problem(ConvShape((6, 5), 16, 16, (3, 3), groups=16), 1)
    loops = hot_loops(problem.lower(lowering=lower_conv_depthwise)(1).kernel)
    loop = min(loops, key=len)  # the other one is masked, for the maps at the end
    assert not [line for line in loop if re.search(r"mm\d.*sp\)|\[sp", line)]
