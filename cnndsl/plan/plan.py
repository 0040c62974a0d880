"""
A plan: steps in order, and where each value lies.

A plan holds for every batch size. Sizes and offsets are in float32 elements for one image; for a
batch of n, a buffer is n images one after the other, starting at n times its offset.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cnndsl.ir.node import Folded, Node, extra_operands
from cnndsl.ops.base import Op
from cnndsl.plan.strategy import NO_HALO, Halo
from cnndsl.types import Layout, TensorType, f32, in_layout

Place = Literal["input", "output", "arena"]


def memory_name(place: Place, port: int) -> str:
    """
    What a printed plan calls the memory at a port of a place.

    >>> memory_name("arena", 0), memory_name("output", 0), memory_name("output", 1)
    ('arena', 'output', 'output1')
    """
    return f"{place}{port or ''}"


@dataclass(frozen=True, slots=True)
class Buffer:
    """
    Memory of one value.

    An image `(h, w, c)` lies channels-last in `(top + h + bottom, left + w + right, c)` cells or,
    where `layout` is nchw, in `(c, h, w)` without a halo. A vector `(f,)` lies in f cells, and its
    strides are those of an image of 1x1. `place` is one of the arrays that the caller gives, one of
    those that the caller gets, or the arena; `port` says which of the arrays, counted from 0 in the
    network's order, and `offset` how many elements into the arena it starts.
    """

    name: str
    shape: tuple[int, ...]
    place: Place
    offset: int = 0
    halo: Halo = NO_HALO
    layout: Layout = "nhwc"
    port: int = 0

    @property
    def array_shape(self) -> tuple[int, ...]:
        """One image's shape with its axes in the order of `layout`."""
        return in_layout(self.shape, self.layout)

    @property
    def image(self) -> tuple[int, int, int]:
        """Height, width and maps; 1, 1 and the features of a vector."""
        if len(self.shape) == 1:
            return 1, 1, self.shape[0]
        height, width, maps = self.shape
        return height, width, maps

    @property
    def map_stride(self) -> int:
        """Elements from one map of a pixel to the next."""
        height, width, _ = self.image
        return 1 if self.layout == "nhwc" else height * width

    @property
    def pixel_stride(self) -> int:
        """Elements from one pixel of a row to the next."""
        return self.image[2] if self.layout == "nhwc" else 1

    @property
    def row_stride(self) -> int:
        """Elements from one row of an image to the next."""
        return (self.halo[2] + self.image[1] + self.halo[3]) * self.pixel_stride

    @property
    def image_stride(self) -> int:
        """Elements from one image of a batch to the next."""
        height, width, maps = self.image
        top, bottom, left, right = self.halo
        return (top + height + bottom) * (left + width + right) * maps

    @property
    def origin(self) -> int:
        """Elements from an image's start to its first cell that is no halo."""
        return self.halo[0] * self.row_stride + self.halo[2] * self.pixel_stride


@dataclass(frozen=True, slots=True)
class Step:
    """
    One kernel's work: `y = op(*x)`, then `epilogue`, by the algorithm `kernel`.

    `node` names the graph's node, `row` the table's row and `part` the part of it that has its own
    parameters; what they are with those `folded` into them, or `made_of` others, `ir.bind` says.
    Two kernels belong to no operator of the graph: `copy` moves x into y's layout and halo, and
    `zero_halo` writes zeros around y's image, whose cells a later step writes.
    """

    kernel: str
    node: str
    row: str
    op: Op
    x: tuple[Buffer, ...]
    y: Buffer
    epilogue: tuple[Op, ...] = ()
    part: str = ""
    folded: tuple[Folded, ...] = ()
    made_of: tuple[Node, ...] = ()

    @property
    def prefix(self) -> str:
        """What its parameters' full names begin with."""
        return f"{self.row}.{self.part}" if self.part else self.row

    @property
    def operands(self) -> tuple[TensorType, ...]:
        """The types of what its operator reads, without what only the epilogue does."""
        own = len(self.x) - extra_operands(self.epilogue)
        return tuple(f32(*x.shape) for x in self.x[:own])

    @property
    def accumulates(self) -> bool:
        """Whether its kernel adds to what y holds, which is what its epilogue's sum reads."""
        added = self.x[len(self.operands) :]
        return any(replace(x, name=self.y.name) == self.y for x in added)


COPY = "copy"
ZERO_HALO = "zero_halo"


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Steps in order. `arena` is the elements that one image of a batch needs there.

    `inputs` and `outputs` are the caller's arrays, each at its port. All share one batch size.
    """

    steps: tuple[Step, ...]
    arena: int
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
