"""The network's input: the picture's size, and how a picture becomes numbers."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Choice, Count, Extent, Numbers, Pair, Range, Text
from cnndsl.types import Layout, TensorType, f32, in_layout


@dataclass(frozen=True)
class Input(Op):
    """
    Where images enter.

    `layout` is the layout of the arrays that a caller passes; inside, images are always
    `[n, h, w, c]`. The other options say what a picture needs before it is such an array: a pixel
    of 0..255 is mapped to `range`, then `(value - mean) / std` is taken map by map.
    """

    row_type = "input"
    summary = "where images enter the network"
    operands = 0
    moves = True

    maps: int = attribute(Count(), "maps of the image: 1 for grey, 3 for colour")
    size: Pair = attribute(Extent(), "height x width of the image")
    layout: Layout = attribute(
        Choice(("nhwc", "nchw")), "order of the axes of the arrays that are passed", "nhwc"
    )
    range: tuple[float, float] | None = attribute(
        Range(), "the numbers that a pixel's 0..255 is mapped to", None
    )
    mean: tuple[float, ...] | None = attribute(
        Numbers(), "subtracted after `range`, one number a map", None
    )
    std: tuple[float, ...] | None = attribute(
        Numbers(positive=True), "divided by after `mean`, one number a map", None
    )
    channels: str = attribute(Choice(("rgb", "bgr")), "order of a colour picture's maps", "rgb")
    fit: str | None = attribute(
        Choice(("stretch", "crop", "pad")), "how a picture of another size is made to fit", None
    )
    labels: str | None = attribute(
        Text(), "file with the classes' names, a line each, beside the table", None
    )

    def infer(self) -> TensorType:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) not in (1, self.maps):
                raise ShapeError(
                    f"{name} has {len(values)} numbers, and the image {self.maps} maps",
                    column=name,
                )
        return f32(*self.size, self.maps)

    @property
    def array_shape(self) -> tuple[int, ...]:
        """One image's shape in the arrays that a caller passes."""
        return in_layout((*self.size, self.maps), self.layout)

    def evaluate(self) -> Array:
        """Not to be called: an input has a value only from outside."""
        raise ValueError("an input has no value of its own")

    def formula(self) -> str:
        return f"y = the caller's images, {self.layout}"
