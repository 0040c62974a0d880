"""
Dense layers: the fields and the work units of their kernel.

The weights are read where they lie, [out, in] row by row as in the artifact: an output is the dot
product of two rows. A vector register holds partial sums of one output of one image: lane j adds
the products number j, j + lanes, j + 2 lanes and so on, in this order, and at the end the lanes are
added. So an output has the same bits in every tile and every batch.

One image needs its weights once: they stream past. For several images a block of inputs is copied
to where it stays in the nearest cache, while blocks of weights pass by.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Field, Lowered, start_of
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

UNIT_OUTPUTS = 96  # most outputs of a unit: whole tiles and whole vectors on every machine
LEAST_OUTPUTS = 24  # of a unit: whole tiles and whole vectors too, with one image or several
UNIT_IMAGES = 32  # images of a unit, which share its passing through the weights
CACHED_IMAGES = 16  # images whose inputs lie in the nearest cache together: whole tiles
UNITS_OF_ONE_IMAGE = 16  # which threads share evenly, if the layer has outputs for so many
DEPTH = 320  # inputs of an image that lie there; 16 * 320 floats and passing weights fill 32 KiB


class DenseFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    `weights` is [outputs, inputs] and `bias` [outputs]; `x_image` and `y_image` lead from one
    image's vector to the next one's.
    """

    batch: Any
    inputs: Any
    outputs: Any
    unit_outputs: Any
    x: Any
    x_image: Any
    weights: Any
    bias: Any
    y: Any
    y_image: Any
    low: Any
    high: Any
    activation: Any


class DenseTile(NamedTuple):
    """
    What the kernel computes in registers at a time: images times outputs.

    `images` divides `CACHED_IMAGES`, and `outputs` divides `UNIT_OUTPUTS`.
    """

    images: int
    outputs: int
    lanes: int


def dense_tile(machine: Target) -> DenseTile:
    """
    The tile that fills a machine's registers.

    i images and o outputs are i * o sums, and i + 1 or o + 1 factors.
    """
    return DenseTile(4, 6 if machine.registers >= 32 else 3, machine.lanes)


def lower_dense(
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    tile: DenseTile | None = None,
) -> Lowered:
    """
    `y[o] = bias[o] + sum over i of weight[o, i] * x[i]`.

    `weight` is used where it lies; it must be contiguous. The cells of `x` must be too.
    """
    tile = tile or dense_tile(Target.host())
    outputs, inputs = weight.shape
    numbers = layer_fields(x, y, epilogue, weight, bias)
    kernel = Kernel("dense", "dense", tuple(tile))
    scratch = UNIT_IMAGES * UNIT_OUTPUTS * tile.lanes + CACHED_IMAGES * DEPTH

    def call(batch: int) -> Call:
        units = Units.of(outputs, batch)
        places = {"x": start_of(x, batch), "y": start_of(y, batch)}
        fields = DenseFields(batch=batch, unit_outputs=units.outputs, **places, **numbers)
        return Call(kernel, fields, units.number, units.outputs * inputs, scratch)

    return call


def layer_fields(
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
) -> dict[str, Field]:
    """The fields that every kernel of a dense layer has, whatever the batch."""
    outputs, inputs = weight.shape
    return {
        "inputs": inputs,
        "outputs": outputs,
        "x_image": x.image_stride,
        "weights": weight,
        "bias": np.zeros(outputs, np.float32) if bias is None else bias,
        "y_image": y.image_stride,
        **epilogue.fields,
    }


class Units(NamedTuple):
    """A layer cut into blocks of outputs, times blocks of images."""

    outputs: int
    number: int

    @staticmethod
    def of(outputs: int, batch: int) -> Units:
        """
        The units of a batch.

        Several images want as many outputs as share a block of inputs. One image does not, and
        small units let threads that share a layer end at the same time.

        >>> Units.of(128, 1), Units.of(1000, 1), Units.of(1000, 16)
        (Units(outputs=24, number=6), Units(outputs=72, number=14), Units(outputs=96, number=11))
        """
        each = UNIT_OUTPUTS
        if batch == 1:
            part = ceil(outputs / (UNITS_OF_ONE_IMAGE * LEAST_OUTPUTS)) * LEAST_OUTPUTS
            each = min(each, part)
        return Units(each, ceil(outputs / each) * ceil(batch / UNIT_IMAGES))
