"""Softmax over the maps of each pixel: the fields of the kernel in kernels/softmax.py."""

from __future__ import annotations

from typing import Any, NamedTuple

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.plan.plan import Buffer

SOFTMAX = Kernel("softmax", "softmax")
LOG_SOFTMAX = Kernel("softmax", "log_softmax")
EXP_FLOATS = 8  # an exponential costs about as much as reading so many floats


class SoftmaxFields(NamedTuple):
    """The row of the kernel. A work unit is a row of pixels of one image."""

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


def lower_softmax(x: Buffer, y: Buffer) -> Lowered:
    """`y[c] = exp(x[c]) / sum(exp(x))`; x and y may be the same memory."""
    return _lower(SOFTMAX, x, y)


def lower_log_softmax(x: Buffer, y: Buffer) -> Lowered:
    """`y[c] = x[c] - log(sum(exp(x)))`; x and y may be the same memory."""
    return _lower(LOG_SOFTMAX, x, y)


def _lower(kernel: Kernel, x: Buffer, y: Buffer) -> Lowered:
    rows, columns, maps = x.image

    def call(batch: int) -> Call:
        fields = SoftmaxFields(
            **source(x, batch), **target(y, batch), rows=rows, columns=columns, maps=maps
        )
        return Call(kernel, fields, batch * rows, columns * maps * EXP_FLOATS)

    return call
