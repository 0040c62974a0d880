"""Tensors of many axes as tensors of at most three, which rows have."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cnndsl.interop.onnx.refusals import Unsupported

Shape = tuple[int, ...]


def joined(shapes: Sequence[Shape]) -> list[Shape]:
    """
    Shapes that are broadcast to the first, with neighbouring axes joined until there are three.

    Axes are joined, from the front, along which each tensor has all places or is repeated.

    >>> joined([(2, 8, 5, 4), (2, 8, 1, 1)])
    [(16, 5, 4), (16, 1, 1)]

    Raises `Unsupported` where more than three axes are left.
    """
    found = [list(shape) for shape in shapes]
    while len(found[0]) > 3:
        axis = next((i for i in range(len(found[0]) - 1) if _go_together(found, i)), None)
        if axis is None:
            raise Unsupported("it broadcasts along more axes than rows have")
        for sides in found:
            sides[axis : axis + 2] = [sides[axis] * sides[axis + 1]]
    return [tuple(sides) for sides in found]


def _go_together(shapes: Sequence[Sequence[int]], axis: int) -> bool:
    pairs = [tuple(shape[axis : axis + 2]) for shape in shapes]
    return all(pair in (pairs[0], (1, 1)) for pair in pairs)


def joined_around(shape: Shape, axis: int) -> tuple[Shape, int]:
    """
    A shape of three axes, in which the tensors of a concatenation follow each other along one.

    >>> joined_around((2, 8, 5, 4), 0), joined_around((8, 2, 5, 4), 1), joined_around((8, 2, 5), 1)
    (((16, 5, 4), 0), ((8, 10, 4), 1), ((8, 2, 5), 1))
    """
    while len(shape) > 3:
        begin = 0 if axis != 1 or shape[0] == 1 else 1
        shape = (*shape[:begin], prod(shape[begin : begin + 2]), *shape[begin + 2 :])
        axis = axis if axis <= begin else axis - 1
    return shape, axis


def joined_parts(ranges: Sequence[range], shape: Shape) -> tuple[list[range], Shape]:
    """
    Places along the axes of a shape, with neighbouring axes joined until there are three.

    Raises `Unsupported` where it is cut along too many of them.

    >>> joined_parts([range(1, 2), range(8), range(5), range(1, 4)], (2, 8, 5, 4))
    ([range(8, 16), range(0, 5), range(1, 4)], (16, 5, 4))
    """
    places, sides = list(ranges), list(shape)
    while len(sides) > 3:
        axis = next(
            (
                i
                for i in range(len(sides) - 1)
                if places[i].step == 1 and places[i + 1] == range(sides[i + 1])
            ),
            None,
        )
        if axis is None:
            raise Unsupported("it cuts a tensor along more axes than rows have")
        inner = sides[axis + 1]
        begin, end = places[axis].start, places[axis].stop
        places[axis : axis + 2] = [range(begin * inner, end * inner)]
        sides[axis : axis + 2] = [sides[axis] * inner]
    return places, tuple(sides)
