"""Sums and products of two tensors, cell by cell: the fields of the kernels in combine.py."""

from __future__ import annotations

from typing import Any, NamedTuple

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, start_of, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

# What a kernel reads of an operand for each pixel: its maps, or the one map that goes with all.
MANY, ONE = 0, 1


class CombineFields(NamedTuple):
    """
    The row of the kernels. A work unit is a row of pixels of one image.

    An operand of one row or one column steps by 0 there: it goes with all of the others'.
    """

    a: Any
    a_image: Any
    a_row: Any
    a_pixel: Any
    b: Any
    b_image: Any
    b_row: Any
    b_pixel: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    rows: Any
    columns: Any
    maps: Any
    low: Any
    high: Any
    activation: Any


def lower_add(a: Buffer, b: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """`y = a + b`; y may be the memory of either."""
    return _lower("add", a, b, y, epilogue)


def lower_multiply(a: Buffer, b: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """`y = a * b`; y may be the memory of one that has its shape."""
    return _lower("multiply", a, b, y, epilogue)


def _lower(function: str, a: Buffer, b: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    rows, columns, maps = y.image
    kinds = tuple(ONE if x.image[2] < maps else MANY for x in (a, b))
    kernel = Kernel("combine", function, kinds)
    if all(x.image == y.image and x.pixel_stride == maps for x in (a, b, y)):
        # The pixels of a row touch everywhere: a row is one run of floats.
        columns, maps = 1, columns * maps

    def call(batch: int) -> Call:
        fields = CombineFields(
            *_operand(a, batch, rows, columns),
            *_operand(b, batch, rows, columns),
            **target(y, batch),
            rows=rows,
            columns=columns,
            maps=maps,
            **epilogue.fields,
        )
        return Call(kernel, fields, batch * rows, 3 * columns * maps)

    return call


def _operand(x: Buffer, batch: int, rows: int, columns: int) -> tuple[Any, ...]:
    """The first cell of an operand, and its strides."""
    height, width, _ = x.image
    row = x.row_stride if height == rows else 0
    pixel = x.pixel_stride if width == columns or columns == 1 else 0
    return start_of(x, batch), x.image_stride, row, pixel
