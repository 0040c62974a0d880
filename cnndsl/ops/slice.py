"""A part of an image: a crop, or some of its maps."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Kind, parse_count
from cnndsl.types import TensorType, f32


@dataclass(frozen=True, slots=True)
class Part:
    """
    Places `begin`, `begin + step`, ... before `end`, as Python's slices count them.

    A place below 0 counts from the end; None is the first, or behind the last.
    """

    begin: int | None = None
    end: int | None = None
    step: int = 1

    def places(self, size: int) -> range | None:
        """The places among that many, or None where there are none or some are not there."""
        begin = 0 if self.begin is None else self.begin + size * (self.begin < 0)
        end = size if self.end is None else self.end + size * (self.end < 0)
        return range(begin, end, self.step) if 0 <= begin < end <= size else None


class PartKind(Kind):
    """
    A part as Python writes a slice: `0:32`, `2:-2`, `16:`, `::2`.

    >>> PartKind().parse("2:-2").places(8), PartKind().format(Part(1, None, 2))
    (range(2, 6), '1::2')
    """

    @property
    def expects(self) -> str:
        return "a part such as 0:32 (the first 32), 2:-2, 16: or ::2"

    def parse(self, text: str) -> Part:
        match = re.fullmatch(r"(-?[0-9]+)?:(-?[0-9]+)?(?::([0-9]+))?", text)
        if match is None:
            raise self.refuse(text)
        begin, end = (
            None if place is None else self._place(text, place) for place in match.groups()[:2]
        )
        step = 1 if match[3] is None else self._place(text, match[3])
        if step < 1:
            raise self.refuse(text, "the step must be positive")
        return Part(begin, end, step)

    def format(self, value: Part) -> str:
        begin, end = ("" if place is None else str(place) for place in (value.begin, value.end))
        return f"{begin}:{end}" + (f":{value.step}" if value.step != 1 else "")

    def _place(self, text: str, word: str) -> int:
        count = parse_count(word.removeprefix("-"))
        if count is None:
            raise self.refuse(text, "a place is too large")
        return -count if word.startswith("-") else count


@dataclass(frozen=True)
class Slice(Op):
    """
    Some rows and columns of an image (a crop) and some of its maps; some features of a vector.

    A split is several slices of one row.
    """

    row_type = "slice"
    summary = "some rows, columns and maps of the image"
    reads = "any"
    moves = True

    map_range: Part = attribute(PartKind(), "which maps, or features of a vector", Part())
    row_range: Part = attribute(PartKind(), "which rows of the image", Part())
    column_range: Part = attribute(PartKind(), "which columns of the image", Part())

    def infer(self, x: TensorType) -> TensorType:
        return f32(*map(len, self.places(x)))

    def places(self, x: TensorType) -> tuple[range, ...]:
        """For each axis of a tensor the places that are taken. Raises `ShapeError`."""
        parts = {"row": self.row_range, "column": self.column_range, "map": self.map_range}
        if not x.is_image:
            for word in ("row", "column"):
                if parts.pop(word) != Part():
                    raise ShapeError(f"a vector has no {word}s", column=f"{word}_range")
        found: list[range] = []
        for (word, part), size in zip(parts.items(), x.shape, strict=True):
            places = part.places(size)
            if places is None:
                things = f"{word}s" if x.is_image else "features"
                raise ShapeError(
                    f"{PartKind().format(part)} is no part of {size} {things}",
                    column=f"{word}_range",
                )
            found.append(places)
        return tuple(found)

    def passes_on(self, x: TensorType) -> bool:
        return self.infer(x) == x

    def evaluate(self, x: Array) -> Array:
        for axis, places in enumerate(self.places(f32(*x.shape[1:])), 1):
            x = np.take(x, places, axis)
        return x

    def formula(self, x: TensorType) -> str:
        indices = "ijc" if x.is_image else "k"
        words = [
            (f"{places.step}{i}" if places.step > 1 else i)
            + (f"+{places.start}" if places.start else "")
            for i, places in zip(indices, self.places(x), strict=True)
        ]
        return f"y[{', '.join(indices)}] = x[{', '.join(words)}]"
