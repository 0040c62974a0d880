"""Factors and summands of maps or cells: the fields of the kernels in kernels/scale.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

AFFINE = Kernel("scale", "affine")
PRELU = Kernel("scale", "prelu")


class ScaleFields(NamedTuple):
    """
    The row of the kernels. A work unit is a row of pixels of one image.

    `weight` and `bias` hold a number a map, or a number a cell of an image; `weight_row` and
    `weight_pixel` lead in both of them to the next row and pixel, and are 0 for numbers of maps.
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
    weight: Any
    bias: Any
    weight_row: Any
    weight_pixel: Any
    low: Any
    high: Any
    activation: Any


def lower_affine(
    weight: NDArray[Any], bias: NDArray[Any], x: Buffer, y: Buffer, epilogue: Epilogue
) -> Lowered:
    """`y = x * weight + bias`, both a number a map; x and y may be the same memory."""
    return _lower(AFFINE, weight, bias, x, y, epilogue)


def lower_prelu(weight: NDArray[Any], x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """
    `y = max(x, 0) + weight * min(x, 0)`; x and y may be the same memory.

    `weight` holds one number, one a map, or one a cell.
    """
    return _lower(PRELU, weight, np.zeros(1), x, y, epilogue)


def _lower(
    kernel: Kernel,
    weight: NDArray[Any],
    bias: NDArray[Any],
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
) -> Lowered:
    rows, columns, maps = x.image
    cells = weight.ndim == 3
    shape = weight.shape if cells else (maps,)
    numbers = {
        "rows": rows,
        "columns": columns,
        "maps": maps,
        "weight": np.array(np.broadcast_to(weight, shape), np.float32),
        "bias": np.array(np.broadcast_to(bias, shape), np.float32),
        "weight_row": columns * maps if cells else 0,
        "weight_pixel": maps if cells else 0,
    }

    def call(batch: int) -> Call:
        fields = ScaleFields(**source(x, batch), **target(y, batch), **numbers, **epilogue.fields)
        return Call(kernel, fields, batch * rows, 3 * columns * maps)

    return call
