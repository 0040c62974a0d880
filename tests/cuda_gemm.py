"""Random convolutions, and the matrix kernels of the CUDA target run on them by the simulator."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from cuda_sanitizer import Sanitized, sanitized
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from cnndsl.backends.cuda.convolution import Convolution, Pair, Strides
from cnndsl.backends.cuda.depthwise import DepthwiseLaunch
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.packing import pack_panels, pack_rows, pack_taps
from cnndsl.backends.cuda.tiles import TileLaunch, tile_kernel
from cnndsl.backends.cuda.vectors import VectorLaunch

UNTOUCHED = np.float32(-12345.0)
UNUSED = np.zeros(1, np.float32)
UNITS = {"tf32": 2.0**-11, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""How far rounding moves a factor, relative to it."""


def strides_within(image: Pair, maps: int, gap: int) -> Strides:
    """Those of an image whose pixels, rows and images are `gap` floats apart."""
    height, width = image
    row = width * (maps + gap) + gap
    return Strides(height * row + gap, row, maps + gap)


def cells(memory: np.ndarray, images: int, image: Pair, maps: int, strides: Strides) -> np.ndarray:
    """A view of the images in memory."""
    steps = [4 * step for step in (strides.image, strides.row, strides.pixel, 1)]
    shape = (images, *image, maps)
    return np.lib.stride_tricks.as_strided(memory[strides.start :], shape, steps)


class Problem:
    """
    A random convolution and its memory.

    `made` makes of a kernel what is called as `made(kernel)[grid, block](*arguments)`.
    """

    def __init__(
        self,
        convolution: Convolution,
        seed: int = 0,
        made: Callable[[Kernel], Any] | None = None,
    ) -> None:
        self.convolution = c = convolution
        self.made = made or simulate
        rng = np.random.default_rng(seed)
        self.weight = rng.standard_normal((c.out_maps, c.group_in, *c.kernel), np.float32)
        self.bias = rng.standard_normal(c.out_maps, np.float32)
        # Between and behind the cells is what nobody may read.
        self.memory = np.full(c.images * c.x.image + c.x.start, np.nan, np.float32)
        self.x = cells(self.memory, c.images, c.image, c.in_maps, c.x)
        self.x[:] = rng.standard_normal(self.x.shape, np.float32)
        size = c.images * c.y.image + c.y.start
        self.addend = rng.standard_normal(size).astype(np.float32)

    def expected(self, adds: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The float64 sums, and the sums of the absolute values."""
        c = self.convolution
        x, weight, bias = (a.astype(float) for a in (self.x, self.weight, self.bias))
        more = cells(self.addend, c.images, c.size, c.out_maps, c.y).astype(float) * adds
        plain = self.sum_of(x, weight) + bias + more
        return plain, self.sum_of(abs(x), abs(weight)) + abs(bias) + abs(more)

    def sum_of(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        c = self.convolution
        reach = [(k - 1) * d + 1 for k, d in zip(c.kernel, c.dilation, strict=True)]
        ends = [
            max(0, (size - 1) * stride + r - begin - image)
            for size, stride, r, begin, image in zip(
                c.size, c.stride, reach, c.padding, c.image, strict=True
            )
        ]
        sides = [(c.padding[0], ends[0]), (c.padding[1], ends[1])]
        x = np.pad(x, ((0, 0), *sides, (0, 0)))
        windows = sliding_window_view(x, reach, (1, 2))[:, :: c.stride[0], :: c.stride[1]]
        windows = windows[:, : c.size[0], : c.size[1], :, :: c.dilation[0], :: c.dilation[1]]
        windows = windows.reshape(*windows.shape[:3], c.groups, c.group_in, *c.kernel)
        filters = weight.reshape(c.groups, c.group_out, c.group_in, *c.kernel)
        y = np.einsum("nijgcuv,gocuv->nijgo", windows, filters, optimize=True)
        return y.reshape(*y.shape[:3], c.out_maps)

    def blank(self) -> np.ndarray:
        """The memory of y, marked everywhere."""
        return np.full(len(self.addend), UNTOUCHED)

    def by_tiles(self, launch: TileLaunch, adds=False, activation="linear", numbers=(0.0, 0.0)):
        """The memory that the tile kernel writes, by way of split sums if there are any."""
        c, tile, y = self.convolution, launch.tile, self.blank()
        weight = pack_panels(self.weight, c.groups, tile).ravel()
        x, addend, out = self.memory[c.x.start :], self.addend[c.y.start :], y[c.y.start :]
        fields = launch.fields(adds, *numbers)
        if launch.splits == 1:
            kernel = self.made(tile_kernel(tile, activation))
            kernel[launch.grid, tile.threads](x, weight, self.bias, addend, out, fields)
            return y
        sums, zeros = np.full(launch.workspace, np.nan, np.float32), np.zeros_like(self.bias)
        kernel = self.made(tile_kernel(tile, "linear"))
        kernel[launch.grid, tile.threads](x, weight, zeros, UNUSED, sums, fields)
        fields = launch.split_sum_fields(adds, *numbers)
        self.made(named("split_sum", activation))[2, 4](sums, self.bias, addend, out, fields)
        return y

    def by_vectors(self, launch: VectorLaunch, adds=False, activation="linear", numbers=(0.0, 0.0)):
        """The memory that the kernel of dense layers writes."""
        c, tile, y = self.convolution, launch.tile, self.blank()
        weight = pack_rows(self.weight.reshape(c.out_maps, c.in_maps), tile.form).ravel()
        kernel = self.made(named("dense_vector", tuple(tile), activation))
        fields = launch.fields(adds, *numbers)
        kernel[launch.grid, tile.threads](self.memory, weight, self.bias, self.addend, y, fields)
        return y

    def by_threads(
        self, launch: DepthwiseLaunch, adds=False, activation="linear", numbers=(0.0, 0.0)
    ):
        """The memory that the kernel of thin convolutions writes."""
        y, weight = self.blank(), pack_taps(self.weight).ravel()
        kernel = self.made(named("conv_depthwise", tuple(launch.tile), activation))
        fields = launch.fields(adds, *numbers)
        kernel[launch.grid, launch.threads](self.memory, weight, self.bias, self.addend, y, fields)
        return y

    def check(self, y: np.ndarray, want: np.ndarray, allowed: np.ndarray) -> None:
        """Assert that `y` holds the right numbers, and nothing else was written."""
        c = self.convolution
        within = c.images, c.size, c.out_maps, c.y
        assert (abs(cells(y, *within) - want) <= allowed).all()
        outside = np.ones(y.shape, np.float32)
        cells(outside, *within)[:] = 0
        assert (y[outside == 1] == UNTOUCHED).all()


@cache
def simulate(kernel: Kernel) -> Sanitized:
    """A kernel for the simulator, under watch."""
    return sanitized(kernel)


def named(name: str, *parameters) -> Kernel:
    """The kernel of a file that has one."""
    return Kernel(name, f"{name}_kernel", parameters)


def pairs(low: int, high: int):
    """Two integers in a range."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw, vector: int, side: int = 4, maps: int = 11) -> Convolution:
    """Any whose input maps are read `vector` at a time, up to `side` pixels a side and `maps`."""
    groups = draw(st.sampled_from([1, 1, 2]))
    in_maps = groups * (4 * draw(st.integers(1, 2)) if vector == 4 else draw(st.integers(1, 5)))
    out_maps = groups * draw(st.integers(1, maps))
    image, size = draw(pairs(1, side + 1)), draw(pairs(1, side))
    gap = draw(st.sampled_from([0, 4, 8] if vector == 4 else [0, 1, 3]))
    return Convolution(
        images=draw(st.integers(1, 2)),
        image=image,
        size=size,
        in_maps=in_maps,
        out_maps=out_maps,
        x=strides_within(image, in_maps, gap),
        y=strides_within(size, out_maps, draw(st.sampled_from([0, 0, 4, 1]))),
        kernel=draw(pairs(1, 3)),
        stride=draw(pairs(1, 2)),
        padding=draw(pairs(0, 2)),
        dilation=draw(pairs(1, 2)),
        groups=groups,
    )


@st.composite
def thin_convolutions(draw) -> Convolution:
    """Of groups with few maps."""
    group_in, group_out = draw(st.sampled_from([(1, 1), (1, 1), (1, 2), (4, 4), (4, 8), (2, 3)]))
    groups = draw(st.integers(1, 4)) * (4 if (group_in, group_out) == (1, 1) else 1)
    groups = draw(st.sampled_from([groups, max(1, groups - 1)]))
    image, size = draw(pairs(1, 6)), draw(pairs(1, 5))
    in_maps, out_maps = groups * group_in, groups * group_out
    return Convolution(
        images=draw(st.integers(1, 2)),
        image=image,
        size=size,
        in_maps=in_maps,
        out_maps=out_maps,
        x=strides_within(image, in_maps, draw(st.sampled_from([0, 0, 4, 1]))),
        y=strides_within(size, out_maps, draw(st.sampled_from([0, 0, 4, 1]))),
        kernel=draw(pairs(1, 4)),
        stride=draw(pairs(1, 3)),
        padding=draw(pairs(0, 2)),
        dilation=draw(pairs(1, 2)),
        groups=groups,
    )
