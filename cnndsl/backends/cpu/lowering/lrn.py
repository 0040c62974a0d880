"""Local response normalization: the fields of the kernel in kernels/lrn.py."""

from __future__ import annotations

from typing import Any, NamedTuple

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.ops.lrn import Neighbours
from cnndsl.plan.plan import Buffer

# Exponents that need no power function, by the kernel's parameter that stands for them.
GENERAL, THREE_QUARTERS, HALF, ONE = range(4)
_SIMPLE = {0.75: THREE_QUARTERS, 0.5: HALF, 1.0: ONE}


class LrnFields(NamedTuple):
    """
    The row of the kernel. A work unit is a row of pixels of one image.

    `lower`, `upper` and `scale` are those of `Neighbours`.
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
    lower: Any
    upper: Any
    scale: Any
    k: Any
    beta: Any
    low: Any
    high: Any
    activation: Any


def lower_lrn(
    near: Neighbours, k: float, beta: float, x: Buffer, y: Buffer, epilogue: Epilogue
) -> Lowered:
    """`y[c] = x[c] / (k + scale * sum(x[c - lower .. c + upper]^2)) ^ beta`, x and y apart."""
    rows, columns, maps = x.image
    kernel = Kernel("lrn", "lrn", (_SIMPLE.get(beta, GENERAL),))
    floats_read = 4 + min(maps, near.lower + 1 + near.upper)

    def call(batch: int) -> Call:
        fields = LrnFields(
            **source(x, batch),
            **target(y, batch),
            rows=rows,
            columns=columns,
            maps=maps,
            lower=min(near.lower, maps),
            upper=min(near.upper, maps),
            scale=float(near.scale),
            k=float(k),
            beta=float(beta),
            **epilogue.fields,
        )
        return Call(kernel, fields, batch * rows, columns * maps * floats_read)

    return call
