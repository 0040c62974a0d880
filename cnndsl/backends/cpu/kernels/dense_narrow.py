"""Dense layers on weights of few bits. See lowering/dense_narrow.py for the fields and the idea."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.widening import WIDENINGS, Widening
from cnndsl.backends.cpu.lowering.dense_narrow import (
    UNIT_IMAGES,
    UNIT_PANELS,
    VECTORS,
    DenseNarrowFields,
)
from cnndsl.backends.cpu.memory import call, read_fields
from cnndsl.backends.cpu.vectors import Vector

_FLOAT = 4  # bytes
_TURN = 4  # inputs of a turn of the inner loop
_LINE, _AHEAD = 16, 512  # in floats: of a cache, and how far one stream of weights is asked ahead


def dense_narrow(kept: str, images: int, lanes: int) -> Any:
    """The kernel for weights `kept` as bfloat16 or int8, of up to so many images at a time."""
    widening = WIDENINGS[kept]

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, DenseNarrowFields)
        blocks = (f.batch + UNIT_IMAGES - 1) // UNIT_IMAGES
        with code.each(begin, end) as number:
            group = number // blocks
            unit = _Unit(code, f, widening, group * UNIT_PANELS, number - group * blocks)
            unit.compute(images)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


@dataclass(frozen=True, slots=True)
class _Unit:
    """The code of one work unit: the panels from `panel` on, of a block of images."""

    code: Code
    f: Any
    widening: Widening
    panel: Int
    block: Int

    @property
    def width(self) -> int:
        """Outputs of a panel."""
        return VECTORS * self.code.lanes

    @property
    def first_image(self) -> Int:
        """The block's first image."""
        return self.block * UNIT_IMAGES

    def compute(self, most: int) -> None:
        """Compute all: `most` images at a time, and those left over in a tile that suits them."""
        code, b = self.code, self.code.builder
        count = (self.f.batch - self.first_image).min(UNIT_IMAGES)
        whole = count // most * most
        left = count - whole
        with code.each(0, UNIT_PANELS) as panel, code.each(0, whole, most) as image:
            self.tile(most, 1, panel, image)
        with b.if_then(left.is_(">", 0)), b.if_else(left.is_("==", 1)) as (one, several):
            with one:
                self.tile(1, UNIT_PANELS, code.integer(0), whole)
            with (
                several,
                code.each(0, UNIT_PANELS) as panel,
                b.if_else(left.is_("<=", most // 2)) as (few, many),
            ):
                with few:
                    self.tile(most // 2, 1, panel, whole)
                with many:
                    self.tile(most, 1, panel, whole)
        self.activate(count)

    def tile(self, images: int, panels: int, panel: Int, image: Int) -> None:
        """
        Compute `images` from `image` of the block on, by `panels` from `panel` of the unit on.

        What is beyond the last image or panel is the last one once more.
        """
        code, f = self.code, self.f
        rows = [(self.first_image + image + i).min(f.batch - 1) for i in range(images)]
        numbers = [(self.panel + panel + p).min(f.panel_count - 1) for p in range(panels)]
        step = self.widening.bytes_of_lane * code.lanes
        inputs = [code.pointer(f.x + row * f.x_image * _FLOAT) for row in rows]
        weights = [code.pointer(f.weights + number * f.inputs * step) for number in numbers]
        zeros = [code.vector(0.0)] * (images * panels * VECTORS)

        def add(first: Value, sums: list[Vector], count: int) -> list[Vector]:
            after = list(sums)
            places = [code.at(start, code.integer(first) * step_floats) for start in weights]
            if panels == 1 and count > 1:  # several panels are several streams
                for line in range(0, count * step_floats, _LINE):
                    code.prefetch(places[0], _AHEAD + line)
            for k in range(count):
                values = [code.broadcast(code.at(start, first), k) for start in inputs]
                for p, place in enumerate(places):
                    factors = self.widening.load(code, code.at(place, k * step_floats))
                    for i, value in enumerate(values):
                        for j, factor in enumerate(factors):
                            at = (i * panels + p) * VECTORS + j
                            after[at] = value.fma(factor, after[at])
            return after

        step_floats = step // _FLOAT
        whole = f.inputs // _TURN * _TURN
        sums = code.loop(0, whole, _TURN, zeros, partial(add, count=_TURN))
        sums = code.loop(whole, f.inputs, 1, sums, partial(add, count=1))
        for i, row in enumerate(rows):
            for p, number in enumerate(numbers):
                at = (i * panels + p) * VECTORS
                self.write(sums[at : at + VECTORS], row, number)

    def write(self, sums: list[Vector], row: Int, number: Int) -> None:
        """Scale the sums of a panel, add the bias, and write them."""
        code, f = self.code, self.f
        bounds, first = Bounds.of(code, f), number * self.width
        scale, bias = (code.pointer(table + first * _FLOAT) for table in (f.scale, f.bias))
        y = code.pointer(f.y + (row * f.y_image + first) * _FLOAT)
        for j, total in enumerate(sums):
            at = j * code.lanes
            count = (f.outputs - first - at).max(0).min(code.lanes)
            cells = total.fma(code.load(scale, at), code.load(bias, at))
            code.store_first(bounds.clamp(cells), y, at, count)

    def activate(self, count: Int) -> None:
        """Call the activation function, if any, on what the unit has written."""
        code, f = self.code, self.f
        first = self.panel * self.width
        outputs = (f.outputs - first).min(UNIT_PANELS * self.width)
        y = f.y + (self.first_image * f.y_image + first) * _FLOAT
        with code.builder.if_then(f.activation.is_("!=", 0)):
            call(code, f.activation, y, count, outputs, f.y_image)
