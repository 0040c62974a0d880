"""Plain loops over the definitions of operators that put cells in other places."""

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


DEFINITIONS = {"concat": concat}
