"""Plain loops over the definitions of operators that put cells in other places."""

import math
from fractions import Fraction
from itertools import product

import numpy as np


def concat(op, *operands):
    axis = 1 if operands[0].ndim == 2 else {"height": 1, "width": 2, "maps": 3}[op.axis]
    shape = list(operands[0].shape)
    shape[axis] = sum(x.shape[axis] for x in operands)
    y = np.full(shape, np.nan)
    begin = 0
    for x in operands:
        for where in np.ndindex(x.shape):
            place = list(where)
            place[axis] += begin
            y[tuple(place)] = x[where]
        begin += x.shape[axis]
    return y, 0


def pad(op, x):
    """A place outside is asked for where its value comes from, one axis at a time."""
    batch, height, width, maps = x.shape
    (top, bottom), (left, right) = op.padding
    y = np.zeros((batch, top + height + bottom, left + width + right, maps))
    for n, i, j, c in np.ndindex(y.shape):
        row, column = source(op, i - top, height), source(op, j - left, width)
        if row is None or column is None:
            y[n, i, j, c] = op.value or 0.0
        else:
            y[n, i, j, c] = x[n, row, column, c]
    return y, 0


def source(op, place, size):
    if 0 <= place < size:
        return place
    if op.mode == "edge":
        return 0 if place < 0 else size - 1
    if op.mode == "reflect":
        return -place if place < 0 else 2 * (size - 1) - place
    return None


def slice_(op, x):
    """Python's own slices."""
    parts = [op.row_range, op.column_range, op.map_range][-(x.ndim - 1) :]
    return x[(slice(None), *(slice(part.begin, part.end, part.step) for part in parts))], 0


def shuffle(op, x):
    """Take the maps of each group from the front, group by group, as often as there are any."""
    size = x.shape[3] // op.groups
    piles = [list(range(g * size, (g + 1) * size)) for g in range(op.groups)]
    order = [pile.pop(0) for _ in range(size) for pile in piles]
    return np.stack([x[..., c] for c in order], -1), 0


def places(shape, order):
    """The places of a shape's cells in the order in which they are written."""
    if len(shape) == 1:
        return [(k,) for k in range(shape[0])]
    height, width, maps = map(range, shape)
    if order == "hwc":
        return list(product(height, width, maps))
    return [(i, j, c) for c, i, j in product(maps, height, width)]


def reshape(op, x):
    y = np.full((len(x), *op.to), np.nan)
    pairs = zip(places(x.shape[1:], op.order), places(op.to, op.order), strict=True)
    for here, there in pairs:
        for n in range(len(x)):
            y[(n, *there)] = x[(n, *here)]
    return y, 0


def resize(op, x):
    """ONNX's formulas in its words, in fractions; a place outside is at the border."""
    _, height, width, _ = x.shape
    rows, columns = op.to or (height * op.factor[0], width * op.factor[1])
    y = np.zeros((len(x), rows, columns, x.shape[3]))
    for n, i, j, c in np.ndindex(y.shape):
        row, column = original(op, i, height, rows), original(op, j, width, columns)
        for p, q in product(range(height), range(width)):
            share = max(1 - abs(row - p), 0) * max(1 - abs(column - q), 0)
            y[n, i, j, c] += x[n, p, q, c] * float(share)
    return y, 0


def original(op, resized, length_original, length_resized):
    scale = Fraction(length_resized, length_original)
    coordinates, rounding = op.coordinates, op.rounding
    if coordinates is None and op.mode == "nearest":  # cells are repeated
        coordinates, rounding = "asymmetric", "floor"
    if coordinates == "align_corners":
        place = Fraction(0)
        if length_resized > 1:
            place = resized * Fraction(length_original - 1, length_resized - 1)
    elif coordinates == "asymmetric":
        place = resized / scale
    else:
        place = (resized + Fraction(1, 2)) / scale - Fraction(1, 2)
    if op.mode == "nearest":
        below, above = math.floor(place), math.ceil(place)
        closer = below if place - below < above - place else above
        tie = place - below == above - place
        place = {
            "floor": below,
            "ceil": above,
            "half_down": below if tie else closer,
            "half_up": above if tie else closer,
            None: below,  # all agree
        }[rounding]
    return min(max(Fraction(place), Fraction(0)), Fraction(length_original - 1))


def constant(op, value):
    y = np.zeros((1, *value.shape))
    for place in np.ndindex(value.shape):
        y[(0, *place)] = value[place]
    return y, 0


DEFINITIONS = {
    "constant": constant,
    "concat": concat,
    "pad": pad,
    "slice": slice_,
    "shuffle": shuffle,
    "reshape": reshape,
    "resize": resize,
}
