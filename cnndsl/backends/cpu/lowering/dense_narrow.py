"""
Dense layers whose weights are kept in fewer bits: the fields and work units of their kernel.

One image of a dense layer takes as long as its weights take to come from memory, so weights of half
or a quarter of the bits take half or a quarter of the time. They are widened in registers, on their
way into the multiply-add.

The weights lie in panels of two vectors of outputs, an input after the other. A lane sums up one
output in the order of the inputs, in every tile alike: so an output's bits do not depend on the
batch.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, start_of
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.narrow_weights import narrow
from cnndsl.backends.cpu.target import Target
from cnndsl.interop.pages import release
from cnndsl.plan.plan import Buffer
from cnndsl.types import DenseWeights

VECTORS = 2  # of a panel
UNIT_PANELS = 4  # panels of a unit, whose weights come from memory side by side for one image
UNIT_IMAGES = 36  # images of a unit, which share its passing through the weights: whole tiles


class DenseNarrowFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    `weights` is [panels, inputs, VECTORS * lanes] of bfloat16 or int8, as `pack` lays them; `scale`
    and `bias` are [panels, VECTORS * lanes]; `x_image` and `y_image` lead from one image's vector
    to the next one's.
    """

    batch: Any
    inputs: Any
    outputs: Any
    x: Any
    x_image: Any
    weights: Any
    scale: Any
    bias: Any
    panel_count: Any
    y: Any
    y_image: Any
    low: Any
    high: Any
    activation: Any


class DenseNarrowTile(NamedTuple):
    """The most images that the kernel computes in registers at a time; it divides `UNIT_IMAGES`."""

    images: int
    lanes: int


def dense_narrow_tile(machine: Target) -> DenseNarrowTile:
    """The tile that fills a machine's registers: two sums an image, two weights, one input."""
    return DenseNarrowTile(12 if machine.registers >= 32 else 6, machine.lanes)


def lower_dense_narrow(
    kept: DenseWeights,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    tile: DenseNarrowTile | None = None,
) -> Lowered:
    """
    `y[o] = bias[o] + sum over i of w[o, i] * x[i]`, w being what is `kept` of `weight`.

    The cells of `x` must be contiguous.
    """
    tile = tile or dense_narrow_tile(Target.host())
    outputs, inputs = weight.shape
    width = VECTORS * tile.lanes
    packed, scale = pack(weight, kept, tile.lanes)
    padded = np.zeros(scale.size, np.float32)
    if bias is not None:
        padded[:outputs] = bias
    numbers = {
        "inputs": inputs,
        "outputs": outputs,
        "x_image": x.image_stride,
        "weights": packed,
        "scale": scale,
        "bias": padded,
        "panel_count": len(packed),
        "y_image": y.image_stride,
        **epilogue.fields,
    }
    kernel = Kernel("dense_narrow", "dense_narrow", (kept, *tile))
    floats = UNIT_PANELS * width * inputs // (4 // (2 if kept == "bfloat16" else 1))

    def call(batch: int) -> Call:
        places = {"x": start_of(x, batch), "y": start_of(y, batch)}
        fields = DenseNarrowFields(batch=batch, **places, **numbers)
        units = ceil(len(packed) / UNIT_PANELS) * ceil(batch / UNIT_IMAGES)
        return Call(kernel, fields, units, floats)

    return call


def pack(
    weight: NDArray[np.float32], kept: DenseWeights, lanes: int
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """
    `weight` [outputs, inputs] as panels of what is kept of it, and each output's scale.

    The panels are int8 [panels, inputs, 2 * lanes] or uint32 [panels, inputs, lanes], each a pair
    of bfloat16 that become float32 with one operation each: in the lower half an output of the
    first vector, in the upper one of the second.
    """
    outputs, inputs = weight.shape
    width = VECTORS * lanes
    count = ceil(outputs / width)
    kind = (np.uint32, lanes) if kept == "bfloat16" else (np.int8, width)
    panels = np.zeros((count, inputs, kind[1]), kind[0])
    scale = np.zeros(count * width, np.float32)
    for number, panel in enumerate(panels):  # one by one: what is made on the way stays in a cache
        first = number * width
        given = weight[first : first + width]
        rows = narrow(given, kept)
        release(given)
        scale[first : first + len(rows.scale)] = rows.scale
        whole = np.zeros((width, inputs), rows.stored.dtype)
        whole[: len(rows.stored)] = rows.stored
        if kept == "bfloat16":
            whole = whole[:lanes] | whole[lanes:].astype(np.uint32) << 16
        panel[:] = whole.T
    return panels, scale
