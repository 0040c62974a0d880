"""
Winograd convolution: the fields of its kernel, its transformed weights and its work units.

A square of m x m outputs of an r x r filter reads a square of 6 x 6 inputs, m + r - 1 = 6. Taken as
polynomials and evaluated at 0, 1, -1, 2, -2 and infinity in both directions, 36 points, inputs and
filter need only be multiplied point by point: 36 products stand for m * m * r * r of them, 144 in
F(4x4, 3x3), 100 in F(2x2, 5x5). Over all squares and maps that is one matrix product a point.
Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (arXiv:1509.09308).

Values grow on the way to the points and cancel on the way back, so results are less exact than a
plain sum's; and an output's bits still depend on nothing but its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, start_of, target
from cnndsl.backends.cpu.lowering.conv_direct import MACS_OF_FLOAT, Tile, best_tile
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer, Halo

SIDE = 6  # inputs of a square in each direction, and points
POINTS = SIDE * SIDE
ROOTS = (0.0, 1.0, -1.0, 2.0, -2.0)  # the points but infinity
PAD = 16  # floats between points: none two of them fall on the same lines of the cache
MOST_SQUARES = 30  # of a unit: more leave the second-level cache, fewer read weights more often
COLUMNS = 1 << 9  # weights transformed at a time: too few for BLAS to start threads over them
UNIT_MACS = 1 << 22  # the least work of a unit
UNITS_OF_IMAGE = 4  # work units an image is split into, at the least


class ConvWinogradFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    The output image is `height` x `width`, covered by `down` x `across` squares. `x` is the address
    of the first float that the first square reads, halo included. `weights` is [points, panels,
    in_maps, width of the tile] and `bias` [panels, width].
    """

    batch: Any
    height: Any
    width: Any
    down: Any
    across: Any
    x: Any
    x_image: Any
    x_row: Any
    x_pixel: Any
    in_maps: Any
    weights: Any
    bias: Any
    panel_count: Any
    unit_squares: Any
    unit_panels: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    out_maps: Any
    low: Any
    high: Any
    activation: Any


@dataclass(frozen=True, slots=True)
class WinogradConv:
    """A convolution cut into squares, whose products are cut into tiles of squares and maps."""

    shape: ConvShape
    tile: Tile

    @staticmethod
    def of(shape: ConvShape, machine: Target) -> WinogradConv:
        """The convolution with the tile that wastes least of it."""
        squares = WinogradConv(shape, Tile(1, 1, machine.lanes)).grid
        return WinogradConv(shape, best_tile(replace(shape, size=squares), machine))

    @staticmethod
    def fits(shape: ConvShape, machine: Target) -> bool:
        """Whether a convolution can be computed this way: 3x3 or 5x5, each cell, all maps."""
        plain = shape.stride == shape.dilation == (1, 1) and shape.groups == 1
        return plain and shape.kernel in ((3, 3), (5, 5)) and shape.in_maps >= machine.lanes

    @property
    def outputs(self) -> int:
        """Outputs of a square in each direction."""
        return SIDE + 1 - self.shape.kernel[0]

    @property
    def grid(self) -> tuple[int, int]:
        """Squares down and across an image."""
        height, width = self.shape.size
        return ceil(height / self.outputs), ceil(width / self.outputs)

    def halo(self, image: tuple[int, int]) -> Halo:
        """The zeros that the squares read around an input image of that size."""
        (top, left), (height, width) = self.shape.padding, image
        down, across = (squares * self.outputs + SIDE - self.outputs for squares in self.grid)
        return top, max(0, down - top - height), left, max(0, across - left - width)

    @property
    def kernel(self) -> Kernel:
        """The kernel that computes it."""
        tile = (self.tile.pixels, self.tile.vectors, self.tile.lanes)
        return Kernel("conv_winograd", "conv_winograd", (self.outputs, *tile))

    def transform_weights(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """`weight` [out, in, r, r] at the points, as [points, panels, in, width]."""
        out_maps, in_maps, r, _ = weight.shape
        panels, width = self.panel_count, self.tile.width
        padded = np.zeros((panels * width, in_maps, r * r), np.float32)
        padded[:out_maps] = weight.reshape(out_maps, in_maps, r * r)
        taps = padded.reshape(panels, width, in_maps, r * r).transpose(3, 0, 2, 1)
        taps = np.ascontiguousarray(taps).reshape(r * r, -1)
        matrix = weight_matrix(r)
        both = np.einsum("ai,bj->abij", matrix, matrix).reshape(POINTS, r * r).astype(np.float32)
        values = np.empty((POINTS, taps.shape[1]), np.float32)
        for start in range(0, taps.shape[1], COLUMNS):
            part = slice(start, start + COLUMNS)
            np.matmul(both, taps[:, part], out=values[:, part])
        return values.reshape(POINTS, panels, in_maps, width)

    def pack_bias(self, bias: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """`bias` [out], or zeros, as [panels, width]."""
        packed = np.zeros(self.panel_count * self.tile.width, np.float32)
        if bias is not None:
            packed[: len(bias)] = bias
        return packed.reshape(-1, self.tile.width)

    @property
    def panel_count(self) -> int:
        """Panels of output maps."""
        return ceil(self.shape.out_maps / self.tile.width)

    @property
    def unit_squares(self) -> int:
        """Squares of a unit: whole tiles."""
        down, across = self.grid
        strips = ceil(down * across / MOST_SQUARES)
        squares = MOST_SQUARES if strips == 1 else ceil(down * across / strips)
        return ceil(squares / self.tile.pixels) * self.tile.pixels

    @property
    def unit_panels(self) -> int:
        """Panels of a unit: all, if there are units enough, for each transforms its input."""
        down, across = self.grid
        strips = ceil(down * across / self.unit_squares)
        macs = POINTS * down * across * self.shape.in_maps * self.shape.out_maps
        wanted = min(UNITS_OF_IMAGE, macs // UNIT_MACS)
        ranges = max(1, min(self.panel_count, ceil(wanted / strips)))
        return ceil(self.panel_count / ranges)

    def work_units(self, batch: int) -> int:
        """Units of a batch: strips of squares (across images), times ranges of panels."""
        down, across = self.grid
        strips = ceil(batch * down * across / self.unit_squares)
        return strips * ceil(self.panel_count / self.unit_panels)

    @property
    def scratch_floats(self) -> int:
        """Floats of scratch a thread needs: inputs and products at the points, and tables."""
        squares, tile = self.unit_squares, self.tile
        points_in = POINTS * (squares * self.shape.in_maps + PAD)
        points_out = POINTS * (squares * self.unit_panels * tile.width + PAD)
        return points_in + points_out + 2 * POINTS * tile.lanes + 4 * (squares + tile.pixels)


def weight_matrix(r: int) -> NDArray[np.float64]:
    """
    The matrix that evaluates a filter of r taps at the points, [SIDE, r].

    Row j is the powers of root j over the product of its distances to the other roots: the
    denominators of Lagrange's interpolation, which so are spared on the way back.
    """
    matrix = np.zeros((SIDE, r))
    for row, root in zip(matrix, ROOTS, strict=False):
        row[:] = np.power(root, np.arange(r))
        row /= np.prod([root - other for other in ROOTS if other != root])
    matrix[-1, -1] = 1.0
    return matrix


def lower_conv_winograd(
    shape: ConvShape,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    tile: Tile | None = None,
) -> Lowered:
    """`y = conv(x)` with `weight` [out, in, r, r], for what fits; `x` has the halo asked for."""
    conv = WinogradConv(shape, tile) if tile else WinogradConv.of(shape, Target.host())
    (height, width), (down, across) = shape.size, conv.grid
    numbers = {
        "height": height,
        "width": width,
        "down": down,
        "across": across,
        "x_image": x.image_stride,
        "x_row": x.row_stride,
        "x_pixel": x.pixel_stride,
        "in_maps": shape.in_maps,
        "weights": conv.transform_weights(weight),
        "bias": conv.pack_bias(bias),
        "panel_count": conv.panel_count,
        "unit_squares": conv.unit_squares,
        "unit_panels": conv.unit_panels,
        "out_maps": shape.out_maps,
        **epilogue.fields,
    }
    before = shape.padding[0] * x.row_stride + shape.padding[1] * x.pixel_stride
    unit_maps = shape.in_maps * conv.unit_panels * conv.tile.width
    unit_floats = POINTS * conv.unit_squares * unit_maps // MACS_OF_FLOAT

    def call(batch: int) -> Call:
        first = start_of(x, batch).moved(-before)
        fields = ConvWinogradFields(batch=batch, x=first, **target(y, batch), **numbers)
        return Call(conv.kernel, fields, conv.work_units(batch), unit_floats, conv.scratch_floats)

    return call
