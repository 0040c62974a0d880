"""Images made larger or smaller by interpolation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cnndsl.errors import ConventionError, Fix, ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Choice, Extent, Pair, Step
from cnndsl.ops.sampling import COORDINATES, ROUNDINGS, Sampling
from cnndsl.types import TensorType, f32

_NEAREST = (
    ("asymmetric", "floor", "PyTorch's nearest, ONNX Upsample and Darknet"),
    ("half_pixel", "half_down", "ONNX Resize by default"),
    ("half_pixel", "half_up", "PyTorch's nearest-exact, TensorFlow 2 and Keras"),
)
_BILINEAR = (
    ("half_pixel", "", "PyTorch, TensorFlow 2, Keras and ONNX by default"),
    ("align_corners", "", "PyTorch with align_corners=True"),
    ("asymmetric", "", "TensorFlow 1 by default and ONNX Upsample"),
)


@dataclass(frozen=True)
class Resize(Op):
    """
    Resample an image at the places that its new cells have in the old one.

    `nearest` takes one cell, `bilinear` the four around, weighted by their distances. Where a new
    cell lies in the old image (`coordinates`), and which cell is the nearest to a place between two
    (`rounding`), differs between frameworks; both must be named where the answers would differ.
    Repeating cells by a whole factor needs no name.

    >>> Resize("nearest", factor=(2, 2)).infer(f32(13, 13, 8))
    f32[26,26,8]
    """

    row_type = "resize"
    summary = "a larger or smaller image, by interpolation"

    mode: str = attribute(Choice(("nearest", "bilinear")), "how cells between cells are made")
    factor: Pair | None = attribute(
        Step(), "how many times as large, height x width", None, group="extent"
    )
    to: Pair | None = attribute(Extent(), "the result's height x width", None, group="extent")
    coordinates: str | None = attribute(
        Choice(COORDINATES), "where a new cell lies in the old image", None
    )
    rounding: str | None = attribute(
        Choice(ROUNDINGS), "which cell is the nearest one to a place between two", None
    )

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        size = self._size(x.height_width)
        self.sampling(x)
        return f32(*size, x.maps)

    def sampling(self, x: TensorType) -> Sampling:
        """The resolved convention. Raises `ConventionError` where it must be named."""
        sizes = list(zip(x.height_width, self._size(x.height_width), strict=True))
        if self.rounding is not None and (self.mode == "bilinear" or self.coordinates is None):
            raise ShapeError("rounding goes with mode=nearest and coordinates", column="rounding")
        coordinates = self.coordinates
        if coordinates is None:
            if self.mode == "nearest":
                # Whole factors repeat cells, and all three readings say so.
                if all(new % old == 0 for old, new in sizes):
                    return Sampling("asymmetric", "floor")
                raise _differ("coordinates", _NEAREST)
            if all(old in (1, new) for old, new in sizes):
                return Sampling("half_pixel")
            raise _differ("coordinates", _BILINEAR)
        sampling = Sampling(coordinates, self.rounding)
        if self.mode == "bilinear" or self.rounding is not None:
            return sampling
        if all(sampling.meets_cells(old, new) for old, new in sizes):
            return Sampling(coordinates, "floor")
        raise _differ("rounding", [("", rounding, "") for rounding in ROUNDINGS])

    def passes_on(self, x: TensorType) -> bool:
        return self.infer(x) == x

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        sampling = self.sampling(x)
        rounding = f", rounding {sampling.rounding}" if sampling.rounding else ""
        return (f"coordinates {sampling.coordinates}{rounding}",)

    def arithmetic(self, x: TensorType) -> str:
        if self.factor is None:
            return ""
        height, width = self._size(x.height_width)
        sizes = zip(x.height_width, self.factor, (height, width), strict=True)
        sums = dict.fromkeys(f"{size} * {factor} = {y}" for size, factor, y in sizes)
        before = "x".join(map(str, x.height_width))
        factor = Step().format(self.factor)
        return f"{before} resized by {factor} is {height}x{width}: {'; '.join(sums)}"

    def evaluate(self, x: Array) -> Array:
        operand = f32(*x.shape[1:])
        sampling, sizes = self.sampling(operand), self._size(operand.height_width)
        for axis, size in enumerate(sizes, 1):
            low, high, share = sampling.taps(x.shape[axis], size)
            before, behind = np.take(x, low, axis), np.take(x, high, axis)
            share = share.reshape(-1, *[1] * (3 - axis))
            x = before if self.mode == "nearest" else before * (1.0 - share) + behind * share
        return x

    def formula(self, x: TensorType) -> str:
        sampling, sizes = self.sampling(x), self._size(x.height_width)
        row, column = (
            sampling.formula(index, old, new)
            for index, old, new in zip("ij", x.height_width, sizes, strict=True)
        )
        if self.mode == "nearest":
            return f"y[i, j, c] = x[row, column, c]; row = {row}, column = {column}"
        return (
            "y[i, j, c] = sum(x[p, q, c] * max(1 - abs(row - p), 0) * max(1 - abs(column - q), 0) "
            f"for p < {x.shape[0]}, q < {x.shape[1]}); row = {row}, column = {column}"
        )

    def _size(self, image: Pair) -> Pair:
        if (self.factor is None) == (self.to is None):
            given = "both" if self.to else "neither"
            raise ShapeError(
                f"the size is given by exactly one of factor= and to=, and {given} is given",
                column="to" if self.to else None,
            )
        if self.to is not None:
            return self.to
        assert self.factor is not None
        return image[0] * self.factor[0], image[1] * self.factor[1]


def _differ(column: str, readings: Iterable[tuple[str, str, str]]) -> ConventionError:
    """The error that lists readings, each as coordinates, rounding and who has it."""
    fixes: list[Fix] = []
    for coordinates, rounding, who in readings:
        words = (("coordinates", coordinates), ("rounding", rounding))
        sets = tuple((name, word) for name, word in words if word)
        text = " ".join(f"{name}={word}" for name, word in sets)
        fixes.append(Fix(f"{text}, as {who}" if who else text, sets=sets))
    message = f"frameworks take different cells here: name the {column}"
    return ConventionError(message, column=column, fixes=fixes)
