"""Radial basis functions, distances to centres: the fields of the kernel in kernels/rbf.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

SQUARED = Kernel("rbf", "squared_distance")
EUCLIDEAN = Kernel("rbf", "euclidean_distance")


class RbfFields(NamedTuple):
    """
    The row of the kernels. A work unit is one image: all its distances.

    `weight` holds the centres, [maps, features]. `columns` is 1, as for any vector.
    """

    x: Any
    x_image: Any
    x_row: Any
    x_pixel: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    columns: Any
    maps: Any
    features: Any
    weight: Any
    low: Any
    high: Any
    activation: Any


def lower_rbf(
    weight: NDArray[np.float32], x: Buffer, y: Buffer, epilogue: Epilogue, *, euclidean: bool
) -> Lowered:
    """`y[o] = sum((x[k] - weight[o, k])^2)`, or its root. `weight` is [out, in], contiguous."""
    maps, features = weight.shape
    kernel = EUCLIDEAN if euclidean else SQUARED

    def call(batch: int) -> Call:
        fields = RbfFields(
            **source(x, batch),
            **target(y, batch),
            columns=1,
            maps=maps,
            features=features,
            weight=weight,
            **epilogue.fields,
        )
        return Call(kernel, fields, batch, 2 * maps * features)

    return call
