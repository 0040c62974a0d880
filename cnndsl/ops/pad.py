"""Cells around an image, as an operator of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Choice, Kind, Number
from cnndsl.ops.padding import Padding, PaddingKind, Sides
from cnndsl.types import TensorType, f32

_NUMPY: dict[str, Literal["constant", "reflect", "edge"]] = {
    "zeros": "constant",
    "constant": "constant",
    "reflect": "reflect",
    "edge": "edge",
}


class SidesKind(Kind):
    """
    Cells on each side: `2`, `2x1` (height x width), `0+1x0+1` (begin+end).

    >>> SidesKind().parse("0+1x2"), SidesKind().format(((1, 1), (1, 1)))
    (((0, 1), (2, 2)), '1')
    """

    @property
    def expects(self) -> str:
        return "cells such as 2, 2x1 or 0+1x0+1 (begin+end)"

    def parse(self, text: str) -> Sides:
        padding = PaddingKind().parse(text)
        if padding.mode != "explicit":
            raise self.refuse(text)
        return padding.sides

    def format(self, value: Sides) -> str:
        return PaddingKind().format(Padding("explicit", value))


@dataclass(frozen=True)
class Pad(Op):
    """
    Add cells around an image.

    They are zeros, a `constant` value, the image mirrored at its border cells (`reflect`: the
    border cells themselves are not repeated), or the border cells repeated (`edge`).
    """

    row_type = "pad"
    summary = "adds cells around the image"
    moves = True

    padding: Sides = attribute(SidesKind(), "cells on each side")
    mode: str = attribute(
        Choice(("zeros", "constant", "reflect", "edge"), (("replicate", "edge"),)),
        "what the cells are",
        "zeros",
    )
    value: float | None = attribute(Number(), "the cells' value where mode is constant", None)

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        if (self.mode == "constant") != (self.value is not None):
            raise ShapeError("value goes with mode=constant, and needs it", column="value")
        sides = zip(x.height_width, self.padding, strict=True)
        if self.mode == "reflect" and any(max(side) >= size for size, side in sides):
            raise ShapeError(
                f"reflect mirrors cells inside the image, and {x.describe()} has fewer than padded",
                column="padding",
            )
        height, width = (n + sum(s) for n, s in zip(x.height_width, self.padding, strict=True))
        return f32(height, width, x.maps)

    def passes_on(self, x: TensorType) -> bool:
        return not any(map(any, self.padding))

    def arithmetic(self, x: TensorType) -> str:
        height, width, _ = self.infer(x).shape
        sizes = zip(x.height_width, self.padding, (height, width), strict=True)
        sums = dict.fromkeys(f"{size} + {begin} + {end} = {y}" for size, (begin, end), y in sizes)
        before = "x".join(map(str, x.height_width))
        padding = SidesKind().format(self.padding)
        return f"{before} padded by {padding} is {height}x{width}: {'; '.join(sums)}"

    def evaluate(self, x: Array) -> Array:
        options: dict[str, Any] = {}
        if self.mode == "constant":
            options["constant_values"] = self.value
        return np.pad(x, ((0, 0), *self.padding, (0, 0)), mode=_NUMPY[self.mode], **options)

    def formula(self, x: TensorType) -> str:
        outside = {
            "zeros": "x is 0 outside",
            "constant": f"x is {Number().format(self.value or 0.0)} outside",
            "reflect": "outside, x is mirrored at its border cells",
            "edge": "outside, x repeats its border cells",
        }[self.mode]
        (top, _), (left, _) = self.padding
        row, column = (f"{i}-{n}" if n else i for i, n in (("i", top), ("j", left)))
        return f"y[i, j, c] = x[{row}, {column}, c]; {outside}"
