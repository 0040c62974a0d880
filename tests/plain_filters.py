"""Plain loops over the definitions of depthwise, separable and transposed convolution."""

from itertools import product

import numpy as np


def depthwise(op, x, weight, bias=None, *, axes):
    """`axes` are, for each axis, where the cells of its windows lie."""
    batch, height, width, maps = x.shape
    rows, columns = axes
    y = np.zeros((batch, len(rows), len(columns), maps * op.multiplier))
    macs = 0
    for n, (r, row), (s, column), c, m in product(
        range(batch), enumerate(rows), enumerate(columns), range(maps), range(op.multiplier)
    ):
        o = c * op.multiplier + m
        y[n, r, s, o] = 0.0 if bias is None else bias[o]
        for (u, i), (v, j) in product(enumerate(row), enumerate(column)):
            macs += 1
            if 0 <= i < height and 0 <= j < width:
                y[n, r, s, o] += x[n, i, j, c] * weight[o, 0, u, v]
    return y, macs // batch


def separable(op, x, *, axes, **weights):
    middle, macs = depthwise(op, x, weights["depthwise.weight"], axes=axes)
    weight, bias = weights["pointwise.weight"], weights.get("pointwise.bias")
    y = np.zeros((*middle.shape[:3], op.maps))
    for n, i, j, o in np.ndindex(y.shape):
        y[n, i, j, o] = 0.0 if bias is None else bias[o]
        for m in range(middle.shape[3]):
            y[n, i, j, o] += middle[n, i, j, m] * weight[o, m, 0, 0]
            macs += n == 0
    return y, macs


def kept(op, size, axis):
    """The first place of the whole output that is kept, and how many are."""
    reach = (op.kernel[axis] - 1) * op.dilation[axis] + 1
    stride = op.stride[axis]
    if op.padding.mode.startswith("same"):  # Keras and ONNX: as large as the stride says
        cut = reach - stride
        return (cut + 1) // 2 if op.padding.mode == "same_lower" else cut // 2, size * stride
    begin, end = op.padding.sides[axis]
    return begin, (size - 1) * stride + reach - begin - end + op.output_padding[axis]


def convtranspose(op, x, weight, bias=None):
    batch, height, width, maps = x.shape
    (top, rows), (left, columns) = kept(op, height, 0), kept(op, width, 1)
    y = np.zeros((batch, rows, columns, op.maps)) + (0.0 if bias is None else bias)
    macs = 0
    inputs, outputs = maps // op.groups, op.maps // op.groups
    for n, p, q, c, k, u, v in product(
        *map(range, x.shape), range(outputs), range(op.kernel[0]), range(op.kernel[1])
    ):
        macs += 1
        i = p * op.stride[0] + u * op.dilation[0] - top
        j = q * op.stride[1] + v * op.dilation[1] - left
        if 0 <= i < rows and 0 <= j < columns:
            y[n, i, j, c // inputs * outputs + k] += x[n, p, q, c] * weight[c, k, u, v]
    return y, macs // batch
