"""A tensor's cells in another shape."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.flatten import ORDER, order_words
from cnndsl.ops.kinds import LARGEST_COUNT, Kind, parse_count
from cnndsl.types import TensorType, f32

Shape = tuple[int, ...]


class ShapeKind(Kind):
    """
    An image's shape as height x width x maps, or a vector's.

    >>> ShapeKind().parse("7x7x30"), ShapeKind().parse("1,470"), ShapeKind().format((7, 7, 30))
    ((7, 7, 30), (1470,), '7x7x30')
    """

    @property
    def expects(self) -> str:
        return "a shape such as 7x7x30 (height x width x maps) or 1470"

    def parse(self, text: str) -> Shape:
        sides = [parse_count(part) or 0 for part in re.split("[xX×]", text)]
        if len(sides) not in (1, 3) or min(sides) < 1:
            raise self.refuse(text)
        if max(sides) > LARGEST_COUNT:
            raise self.refuse(text, f"each side must lie in 1..{LARGEST_COUNT}")
        return tuple(sides)

    def format(self, value: Shape) -> str:
        return "x".join(map(str, value))


@dataclass(frozen=True)
class Reshape(Op):
    """
    Write the cells of a tensor one after the other, and read them as another shape.

    Both happen in one `order`: hwc keeps the maps of a pixel together (TensorFlow, Keras), chw the
    pixels of a map (PyTorch, ONNX).
    """

    row_type = "reshape"
    summary = "the same cells in another shape"
    reads = "any"
    moves = True

    to: Shape = attribute(ShapeKind(), "the result's shape")
    order: str = attribute(ORDER, "which index varies slowest to fastest", "hwc")

    def infer(self, x: TensorType) -> TensorType:
        if prod(self.to) != x.size:
            sides = " * ".join(map(str, self.to))
            raise ShapeError(
                f"{x.describe()} has {x.size} cells, and {ShapeKind().format(self.to)} has "
                f"{f'{sides} = ' if len(self.to) > 1 else ''}{prod(self.to)}",
                column="to",
            )
        return f32(*self.to)

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        if not x.is_image and len(self.to) == 1:
            return ()
        return (order_words(self.order),)

    def passes_on(self, x: TensorType) -> bool:
        return self.to == x.shape

    @property
    def in_place(self) -> bool:
        return self.order == "hwc"

    def evaluate(self, x: Array) -> Array:
        turned = self.order == "chw"
        if turned and x.ndim == 4:
            x = x.transpose(0, 3, 1, 2)
        if not turned or len(self.to) == 1:
            return x.reshape(-1, *self.to)
        height, width, maps = self.to
        return x.reshape(-1, maps, height, width).transpose(0, 2, 3, 1)

    def formula(self, x: TensorType) -> str:
        place = _place(self.to, self.order)
        if not x.is_image:
            return f"y[{_indices(self.to)}] = x[{place}]"
        sides = x.shape if self.order == "hwc" else (x.maps, *x.height_width)
        _, middle, last = sides
        k = f"({place})" if len(self.to) > 1 else place
        slow, mid, fast = f"{k} // {middle * last}", f"{k} // {last} % {middle}", f"{k} % {last}"
        cell = f"{slow}, {mid}, {fast}" if self.order == "hwc" else f"{mid}, {fast}, {slow}"
        return f"y[{_indices(self.to)}] = x[{cell}]"


def _indices(shape: Shape) -> str:
    return "i, j, c" if len(shape) == 3 else "k"


def _place(shape: Shape, order: str) -> str:
    """Where a cell of a shape comes when all are written one after the other."""
    if len(shape) == 1:
        return "k"
    height, width, maps = shape
    if order == "chw":
        return f"c*{height * width} + i*{width} + j"
    return f"i*{width * maps} + j*{maps} + c"
