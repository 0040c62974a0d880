"""Normalization by an image's own statistics: the fields of the kernels in kernels/normalise.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

OF_PIXELS = Kernel("normalise", "normalise_pixels")
OF_GROUPS = Kernel("normalise", "normalise_groups")


class NormaliseFields(NamedTuple):
    """
    The row of the kernels.

    A work unit is a row of pixels of one image or, of `normalise_groups`, an image. `group` is the
    number of maps that are normalized together. `weight`, `bias`, `weight_row` and `weight_pixel`
    are those of `ScaleFields`.
    """

    x: Any
    x_image: Any
    x_row: Any
    x_pixel: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    rows: Any
    columns: Any
    maps: Any
    group: Any
    epsilon: Any
    weight: Any
    bias: Any
    weight_row: Any
    weight_pixel: Any
    low: Any
    high: Any
    activation: Any


class Affine(NamedTuple):
    """What follows a normalization: a weight and a bias a map or a cell, where there are any."""

    weight: NDArray[np.float32] | None
    bias: NDArray[np.float32] | None


def lower_normalise_pixels(
    epsilon: float, affine: Affine, x: Buffer, y: Buffer, epilogue: Epilogue
) -> Lowered:
    """Normalize each pixel's maps; x and y may be the same memory."""
    rows = x.image[0]
    return _lower(OF_PIXELS, x.image[2], epsilon, affine, x, y, epilogue, rows)


def lower_normalise_groups(
    groups: int, epsilon: float, affine: Affine, x: Buffer, y: Buffer, epilogue: Epilogue
) -> Lowered:
    """Normalize each group of maps of an image; x and y may be the same memory."""
    return _lower(OF_GROUPS, x.image[2] // groups, epsilon, affine, x, y, epilogue, 1)


def _lower(
    kernel: Kernel,
    group: int,
    epsilon: float,
    affine: Affine,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    units: int,
) -> Lowered:
    rows, columns, maps = x.image
    cells = any(numbers is not None and numbers.ndim == 3 for numbers in affine)
    shape = (rows, columns, maps) if cells else (maps,)
    numbers = {
        "rows": rows,
        "columns": columns,
        "maps": maps,
        "group": group,
        "epsilon": float(epsilon),
        "weight": np.ones(shape, np.float32) if affine.weight is None else affine.weight,
        "bias": np.zeros(shape, np.float32) if affine.bias is None else affine.bias,
        "weight_row": columns * maps if cells else 0,
        "weight_pixel": maps if cells else 0,
    }

    def call(batch: int) -> Call:
        fields = NormaliseFields(
            **source(x, batch), **target(y, batch), **numbers, **epilogue.fields
        )
        floats = 4 * rows * columns * maps // units
        return Call(kernel, fields, batch * units, floats, 2 * maps)

    return call
