"""
Dense layers for many images at once, a lane an image: the fields and work units of their kernel.

The weights are read where they lie, [out, in] row by row as in the artifact, and each once for all
images of a tile: it is multiplied with a vector of inputs, one of each image. For that the inputs
of a block of images are turned, so that images lie side by side.

An output adds up its products in blocks of `DEPTH`, each in the order of the inputs: so it has the
same bits in every tile and every batch, but not those that lowering/dense.py gives it. For few
images this is slow, since empty lanes take as long as others.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, start_of
from cnndsl.backends.cpu.lowering.dense import layer_fields
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.program_layout import LEAST_SCRATCH
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

UNIT_OUTPUTS = 96  # of a unit: whole tiles and whole vectors on every machine
UNIT_IMAGES = 64  # of a unit, which share its passing through the weights: whole tiles
DEPTH = 2048  # inputs of a tile: long runs of its weights, and images that stay in a near cache

FEW_IMAGES = 1.34
"""Times as long takes a multiply-add by lowering/dense.py, whose sums go to memory more often."""


class DenseImagesFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    `weights` is [outputs, inputs] and `bias` [outputs]; `x_image` and `y_image` lead from one
    image's vector to the next one's.
    """

    batch: Any
    inputs: Any
    outputs: Any
    x: Any
    x_image: Any
    weights: Any
    bias: Any
    y: Any
    y_image: Any
    low: Any
    high: Any
    activation: Any


class DenseImagesTile(NamedTuple):
    """
    What the kernel computes in registers at a time: vectors of images, times outputs.

    The images divide `UNIT_IMAGES`, and `outputs` divides `UNIT_OUTPUTS`.
    """

    vectors: int
    outputs: int
    lanes: int

    @property
    def images(self) -> int:
        """The number of images."""
        return self.vectors * self.lanes

    def whole(self, batch: int) -> int:
        """The images of the tiles that a batch takes: some of the last one's may be empty."""
        return ceil(batch / self.images) * self.images


def dense_images_tile(machine: Target) -> DenseImagesTile:
    """
    The tile that fills a machine's registers.

    v vectors and o outputs are v * o sums, v inputs and a weight.
    """
    if machine.registers < 32:
        return DenseImagesTile(2, 6, machine.lanes)
    vectors = max(1, 16 // machine.lanes)
    return DenseImagesTile(vectors, 12 if vectors == 1 else 6, machine.lanes)


def images_fill_lanes(batch: int) -> bool:
    """Whether so many images are computed faster here than by lowering/dense.py."""
    return dense_images_tile(Target.host()).whole(batch) <= FEW_IMAGES * batch


def lower_dense_images(
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    tile: DenseImagesTile | None = None,
) -> Lowered:
    """
    `y[o] = bias[o] + sum over i of weight[o, i] * x[i]`.

    `weight` is used where it lies; it must be contiguous. The cells of `x` must be too.
    """
    tile = tile or dense_images_tile(Target.host())
    outputs, inputs = weight.shape
    numbers = layer_fields(x, y, epilogue, weight, bias)
    kernel = Kernel("dense_images", "dense_images", tuple(tile))

    def call(batch: int) -> Call:
        places = {"x": start_of(x, batch), "y": start_of(y, batch)}
        fields = DenseImagesFields(batch=batch, **places, **numbers)
        units = ceil(outputs / UNIT_OUTPUTS) * ceil(batch / UNIT_IMAGES)
        turned = min(tile.whole(batch), UNIT_IMAGES) * ceil(inputs / tile.lanes) * tile.lanes
        scratch = LEAST_SCRATCH + UNIT_IMAGES * UNIT_OUTPUTS + turned
        return Call(kernel, fields, units, UNIT_OUTPUTS * inputs, scratch)

    return call
