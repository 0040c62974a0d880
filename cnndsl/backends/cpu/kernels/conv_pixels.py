"""The pixels of a convolution's work unit, as tables of where each is read and written."""

from dataclasses import dataclass
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.memory import call, entry, set_entry

_FLOAT, _WORD = 4, 8  # bytes


@dataclass(frozen=True, slots=True)
class Pixels:
    """
    A block of `f.unit_pixels` output pixels, counted through all rows of all images of a batch.

    Tiles take their pixels from it as they come, so that small images fill them too. `tables` is
    the address of two tables of offsets in floats, from `f.x` and from `f.y`; both go `spare`
    entries on with their last pixel, for a tile that ends beyond the block.
    """

    code: Code
    f: Any
    tables: Int
    spare: int

    def count(self, block: Int) -> Int:
        """The pixels of a block."""
        f = self.f
        return (f.batch * f.height * f.width - block * f.unit_pixels).min(f.unit_pixels)

    def locate(self, block: Int) -> None:
        """Fill the tables for a block."""
        code, f = self.code, self.f
        first, count = block * f.unit_pixels, self.count(block)
        end = first + count
        with code.each(first // f.width, (end - 1) // f.width + 1) as line:
            image = line // f.height
            row = line - image * f.height
            x = image * f.x_image + row * f.x_down
            y = image * f.y_image + row * f.y_row
            left = line * f.width
            start = left.max(first)

            def place(pixel: Value, state: list[Int], first: Int = first) -> list[Int]:
                x, y = state
                number = code.integer(pixel) - first
                set_entry(code, self.tables, number, x)
                set_entry(code, self._writes, number, y)
                return [x + f.x_right, y + f.y_pixel]

            ahead = start - left
            begin = [x + ahead * f.x_right, y + ahead * f.y_pixel]
            code.loop(start, (left + f.width).min(end), 1, begin, place)
        for table in (self.tables, self._writes):
            self._go_on(table, count)

    def stage(self, count: Int, room: Int) -> None:
        """Copy the block's pixels, `f.reduction` floats each, to `room`, and read them there."""
        code, f = self.code, self.f
        with code.each(0, count) as pixel:
            source, place = self.read(pixel, code.pointer(f.x)), room + pixel * f.staged * _FLOAT

            def move(span: Span, source: Value = source, place: Int = place) -> None:
                span.store(span.load(source), code.pointer(place))

            over_row(code, f.reduction, move, widths=(4, 1))
            set_entry(code, self.tables, pixel, (place - f.x) // _FLOAT)
        self._go_on(self.tables, count)

    def _go_on(self, table: Int, count: Int) -> None:
        """Repeat the last of a table's `count` entries in the spare ones."""
        last = entry(self.code, table, count - 1)
        for i in range(self.spare):
            set_entry(self.code, table, count + i, last)

    def read(self, pixel: "Int | int", base: Value) -> Value:
        """Where a pixel reads first, as a pointer; `base` points to where pixel (0, 0) does."""
        return self.code.at(base, entry(self.code, self.tables, pixel))

    def written(self, pixel: "Int | int", base: Value) -> Value:
        """Where a pixel is written, as a pointer; `base` points to where pixel (0, 0) is."""
        return self.code.at(base, entry(self.code, self._writes, pixel))

    def activate(self, count: Int, start: Int, maps: Int) -> None:
        """
        Call the activation function, if any, on `maps` maps from `start` on of the `count` pixels.

        Pixels that follow each other in memory are handed over together.
        """
        code, f = self.code, self.f
        touch = maps.is_("==", f.y_pixel)  # nothing lies between the pixels: one long row

        def pixel(i: Value, state: list[Int]) -> list[Int]:
            after = code.integer(i) + 1
            here, there = (entry(code, self._writes, at) for at in (i, after))
            breaks = there.is_("!=", here + f.y_pixel)
            breaks = code.builder.or_(breaks, after.is_("==", count))
            with code.builder.if_then(breaks):
                rows = after - state[0]
                place = f.y + (start + entry(code, self._writes, state[0])) * _FLOAT
                one = code.integer(1)
                shape = one.where(touch, rows), (rows * maps).where(touch, maps)
                call(code, f.activation, place, *shape, f.y_pixel)
            return [after.where(breaks, state[0])]

        with code.builder.if_then(f.activation.is_("!=", 0)):
            code.loop(0, count, 1, [code.integer(0)], pixel)

    @property
    def _writes(self) -> Int:
        return self.tables + (self.f.unit_pixels + self.spare) * _WORD
