"""
Every operator once more, as the plainest loops over its definition: slow, and easy to believe.

Written apart from the package: indices are tested against the image instead of padding it, and the
conventions are spelt as their sources spell them. Images are `[n, h, w, c]`.
"""

import math
from itertools import product

import numpy as np
import plain_cells
import plain_filters
import plain_places


def same_sides(size, kernel, stride, dilation, odd_first):
    """TensorFlow's note on padding: what the last, partly filled step lacks, by remainders."""
    reach = (kernel - 1) * dilation + 1
    lacking = reach - stride if size % stride == 0 else reach - size % stride
    total = max(lacking, 0)
    small, large = math.floor(total / 2), math.ceil(total / 2)
    return (large, small) if odd_first else (small, large)


def sides(op, size, axis):
    """Cells added before and after an axis of `size` cells."""
    mode = op.padding.mode
    if mode == "valid":
        return 0, 0
    if mode == "explicit":
        return op.padding.sides[axis]
    return same_sides(
        size, op.kernel[axis], op.stride[axis], op.dilation[axis], mode == "same_lower"
    )


def window_count(op, image, axis):
    """How many windows an axis has, as ONNX (floor, ceil) and Caffe write it."""
    if op.padding.mode.startswith("same"):
        return math.ceil(image[axis] / op.stride[axis])
    begin, end = sides(op, image[axis], axis)
    reach = (op.kernel[axis] - 1) * op.dilation[axis] + 1
    steps = (image[axis] + begin + end - reach) / op.stride[axis]
    rounding = getattr(op, "rounding", "floor")
    if rounding == "floor":
        return math.floor(steps) + 1
    count = math.ceil(steps) + 1
    is_padded = any(sum(sides(op, image[a], a)) for a in (0, 1))
    if (rounding == "ceil" or is_padded) and (count - 1) * op.stride[axis] >= image[axis] + begin:
        count -= 1
    return count


def cells_of_axis(op, image, axis):
    """For each window along an axis, where its cells lie: some of them may be outside."""
    begin, _ = sides(op, image[axis], axis)
    return [
        [w * op.stride[axis] - begin + u * op.dilation[axis] for u in range(op.kernel[axis])]
        for w in range(window_count(op, image, axis))
    ]


def inside(image, i, j):
    return 0 <= i < image[0] and 0 <= j < image[1]


def conv(op, x, weight, bias=None):
    batch, height, width, maps = x.shape
    image = (height, width)
    rows, columns = (cells_of_axis(op, image, axis) for axis in (0, 1))
    y = np.zeros((batch, len(rows), len(columns), op.maps))
    macs = 0
    per_group, filters_per_group = maps // op.groups, op.maps // op.groups
    for n, (r, row), (s, column), o in product(
        range(batch), enumerate(rows), enumerate(columns), range(op.maps)
    ):
        total = 0.0 if bias is None else bias[o]
        first = o // filters_per_group * per_group
        for (u, i), (v, j), c in product(enumerate(row), enumerate(column), range(per_group)):
            if op.connect and c not in op.connect[o]:
                continue
            macs += 1
            if inside(image, i, j):
                total += x[n, i, j, first + c] * weight[o, c, u, v]
        y[n, r, s, o] = total
    return y, macs // batch


def pooled(op, x, reduce):
    """`reduce(cells, corners)` of every window and map: the values inside, and all positions."""
    batch, height, width, maps = x.shape
    image = (height, width)
    rows, columns = (cells_of_axis(op, image, axis) for axis in (0, 1))
    y = np.zeros((batch, len(rows), len(columns), maps))
    for n, (r, row), (s, column), c in product(
        range(batch), enumerate(rows), enumerate(columns), range(maps)
    ):
        places = list(product(row, column))
        y[n, r, s, c] = reduce([x[n, i, j, c] for i, j in places if inside(image, i, j)], places, c)
    return y, 0


def maxpool(op, x):
    return pooled(op, x, lambda values, places, c: max(values))


def avgpool(op, x):
    image = x.shape[1:3]
    (top, bottom), (left, right) = (sides(op, image[axis], axis) for axis in (0, 1))

    def mean(values, places, c):
        padded = [
            (i, j)
            for i, j in places
            if -top <= i < image[0] + bottom and -left <= j < image[1] + right
        ]
        return sum(values) / (len(padded) if op.divisor == "padded" else len(values))

    return pooled(op, x, mean)


def subsample(op, x, weight, bias):
    y, _ = pooled(op, x, lambda values, places, c: bias[c] + weight[c] * sum(values))
    return y, y[0].size


def lppool(op, x):
    return pooled(
        op, x, lambda values, places, c: sum(abs(v) ** op.p for v in values) ** (1 / op.p)
    )


def depthwise(op, x, weight, bias=None):
    axes = [cells_of_axis(op, x.shape[1:3], axis) for axis in (0, 1)]
    return plain_filters.depthwise(op, x, weight, bias, axes=axes)


def separable(op, x, **weights):
    axes = [cells_of_axis(op, x.shape[1:3], axis) for axis in (0, 1)]
    return plain_filters.separable(op, x, axes=axes, **weights)


def globalavgpool(op, x):
    batch, height, width, maps = x.shape
    y = np.zeros((batch, 1, 1, maps))
    for n, i, j, c in np.ndindex(x.shape):
        y[n, 0, 0, c] += x[n, i, j, c] / (height * width)
    return y, 0


def globalmaxpool(op, x):
    y = np.full((len(x), 1, 1, x.shape[3]), -np.inf)
    for n, i, j, c in np.ndindex(x.shape):
        y[n, 0, 0, c] = max(y[n, 0, 0, c], x[n, i, j, c])
    return y, 0


def lrn_window(op, c, maps):
    """The first and last map that is summed for map c, and what alpha is divided by."""
    last = maps - 1
    if op.r is not None:  # the book: j_low = max(0, i - r/2), j_high = min(i + r/2, f_n - 1)
        return max(0, c - op.r // 2), min(c + op.r // 2, last), 1
    if op.n is not None:  # the paper: max(0, i - n/2) to min(N - 1, i + n/2)
        return max(0, c - op.n // 2), min(c + op.n // 2, last), 1
    if op.depth_radius is not None:  # TensorFlow: sqr_sum over [d - depth_radius, d + depth_radius]
        return max(0, c - op.depth_radius), min(c + op.depth_radius, last), 1
    before, after = math.floor((op.size - 1) / 2), math.ceil((op.size - 1) / 2)  # ONNX
    if op.align == "torch":  # pads size // 2 zeros before the maps, (size - 1) // 2 behind them
        before, after = op.size // 2, (op.size - 1) // 2
    return max(0, c - before), min(c + after, last), op.size


def lrn(op, x):
    y = np.zeros(x.shape)
    maps = x.shape[3]
    for n, i, j, c in np.ndindex(x.shape):
        low, high, divisor = lrn_window(op, c, maps)
        squares = sum(x[n, i, j, m] ** 2 for m in range(low, high + 1))
        y[n, i, j, c] = x[n, i, j, c] / (op.k + op.alpha / divisor * squares) ** op.beta
    return y, 0


def dropout(op, x):
    return x, 0


def flatten(op, x):
    if x.ndim == 2:
        return x, 0
    batch, height, width, maps = x.shape
    order = (
        product(range(height), range(width), range(maps))
        if op.order == "hwc"
        else ((i, j, c) for c in range(maps) for i in range(height) for j in range(width))
    )
    places = list(order)
    return np.array([[x[(n, *place)] for place in places] for n in range(batch)]), 0


def dense(op, x, weight, bias=None):
    y = np.zeros((len(x), op.maps))
    macs = 0
    for n, o in np.ndindex(y.shape):
        y[n, o] = 0.0 if bias is None else bias[o]
        for k in range(x.shape[1]):
            y[n, o] += x[n, k] * weight[o, k]
            macs += 1
    return y, macs // len(x)


def rbf(op, x, weight):
    y = np.zeros((len(x), op.maps))
    macs = 0
    for n, o in np.ndindex(y.shape):
        for k in range(x.shape[1]):
            y[n, o] += (x[n, k] - weight[o, k]) ** 2
            macs += 1
    return (np.sqrt(y) if op.distance == "euclidean" else y), macs // len(x)


DEFINITIONS = {
    "conv": conv,
    "maxpool": maxpool,
    "avgpool": avgpool,
    "subsample": subsample,
    "lppool": lppool,
    "depthwise": depthwise,
    "separable": separable,
    "convtranspose": plain_filters.convtranspose,
    "globalavgpool": globalavgpool,
    "globalmaxpool": globalmaxpool,
    "lrn": lrn,
    "dropout": dropout,
    "flatten": flatten,
    "dense": dense,
    "rbf": rbf,
    **plain_cells.DEFINITIONS,
    **plain_places.DEFINITIONS,
}
"""For each row type a function of the operator, its operands and its weights: y, and MACs."""
