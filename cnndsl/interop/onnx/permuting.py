"""
Axes in any order, as rows that each exchange two blocks of cells.

Flattening an image pixel by pixel exchanges its maps and its pixels, and a channel shuffle two
factors of its maps: `(a, b) -> (b, a)` and `(a, b, c) -> (b, a, c)`. Together they make any order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from cnndsl.interop.onnx.values import Places, View
from cnndsl.ops.base import Op
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.shuffle import Shuffle
from cnndsl.types import TensorType, f32

_MOST_AXES = 6
"""Axes that change their order: 720 of them are searched in no time."""

Order = tuple[int, ...]


def permuted(view: View, type_: TensorType) -> tuple[Op, ...] | None:
    """
    The operators that make of the view's node a tensor of that type with the view's cells.

    None where the view is no transposition of the node's cells, or one of too many axes.
    """
    found = _transposition(view)
    if found is None:
        return None
    sizes, wanted = found
    rows = _Rows([], view.type)
    order = tuple(range(len(sizes)))
    for move in _path(order, wanted):
        blocks = [prod(sizes[axis] for axis in block) for block in move.blocks(order)]
        rows.exchange(*blocks)
        order = move.apply(order)
    rows.become(type_)
    return tuple(rows.ops)


@dataclass(frozen=True, slots=True)
class _Move:
    """The axes up to `first` change places with those up to `second`."""

    first: int
    second: int

    def blocks(self, order: Order) -> tuple[Order, Order, Order]:
        return order[: self.first], order[self.first : self.second], order[self.second :]

    def apply(self, order: Order) -> Order:
        front, back, rest = self.blocks(order)
        return back + front + rest


@dataclass(slots=True)
class _Rows:
    """Operators in turn, and the type of what they make of the first operand."""

    ops: list[Op]
    type: TensorType

    def exchange(self, first: int, second: int, rest: int) -> None:
        """From `(first, second, rest)` cells to `(second, first, rest)`."""
        if rest == 1:
            self.become(f32(1, second, first))
            self._add(Flatten("hwc"))
        else:
            self.become(f32(1, rest, first * second))
            self._add(Shuffle(first))

    def become(self, type_: TensorType) -> None:
        """The same cells in the same order, as another type."""
        if self.type != type_ and not self._has_maps(type_):
            self._add(Reshape(type_.shape, "chw") if type_.is_image else Flatten("chw"))

    def _has_maps(self, type_: TensorType) -> bool:
        """Whether the image serves as it is: its pixels may stand in rows."""
        last = type_.is_image and type_.height_width[0] == 1
        return last and self.type.is_image and self.type.maps == type_.maps

    def _add(self, op: Op) -> None:
        self.ops.append(op)
        self.type = op.infer(self.type)


def _transposition(view: View) -> tuple[list[int], Order] | None:
    """The sizes of the node's axes, and the order in which the view has them."""
    joined = _factors(view.flat)
    if len(joined) > _MOST_AXES:
        return None
    node_order = sorted(range(len(joined)), key=lambda axis: -joined[axis][1])
    sizes = [joined[axis][0] for axis in node_order]
    cells = np.arange(prod(sizes)).reshape(sizes)
    wanted = tuple(node_order.index(axis) for axis in range(len(joined)))
    alike = np.array_equal(cells.transpose(wanted).reshape(-1), view.flat)
    return (sizes, wanted) if alike and cells.size == view.type.size else None


def _factors(places: Places) -> list[tuple[int, int]]:
    """
    Axes along which places are evenly spaced, each with its size and its step.

    >>> _factors(np.array([0, 1, 2, 10, 11, 12]))
    [(2, 10), (3, 1)]
    """
    if len(places) == 1:
        return []
    step = int(places[1] - places[0])
    uneven = places != places[0] + step * np.arange(len(places))
    count = int(uneven.argmax()) if uneven.any() else len(places)
    return [*_factors(places[::count]), (count, step)]


def _path(start: Order, wanted: Order) -> Sequence[_Move]:
    """The fewest moves from one order to another."""
    paths: dict[Order, tuple[_Move, ...]] = {start: ()}
    queue = deque([start])
    while wanted not in paths:
        order = queue.popleft()
        for move in _moves(len(order)):
            after = move.apply(order)
            if after not in paths:
                paths[after] = (*paths[order], move)
                queue.append(after)
    return paths[wanted]


def _moves(axes: int) -> Iterator[_Move]:
    for second in range(axes, 1, -1):
        for first in range(1, second):
            yield _Move(first, second)
