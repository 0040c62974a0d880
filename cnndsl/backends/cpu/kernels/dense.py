"""Dense layers: dot products of rows. See lowering/dense.py for the fields and the idea."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.rows import Rows
from cnndsl.backends.cpu.lowering.dense import (
    CACHED_IMAGES,
    DEPTH,
    UNIT_IMAGES,
    UNIT_OUTPUTS,
    DenseFields,
)
from cnndsl.backends.cpu.memory import call, read_fields
from cnndsl.backends.cpu.vectors import Mask, Vector

_FLOAT = 4  # bytes
_STREAMS = 8  # outputs of a tile of one image: so many rows of weights come from memory at once


def dense(tile_images: int, tile_outputs: int, lanes: int) -> Any:
    """The kernel whose tile is `tile_images` times `tile_outputs`."""
    single, several = _Tile(1, _STREAMS), _Tile(tile_images, tile_outputs)

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, DenseFields)
        blocks = (f.batch + UNIT_IMAGES - 1) // UNIT_IMAGES
        with code.each(begin, end) as number:
            block = number // blocks
            unit = _Unit.of(code, f, code.integer(scratch), block, number - block * blocks)
            with code.builder.if_else(unit.images.is_("==", 1)) as (alone, otherwise):
                with alone:
                    unit.stream(single)
                with otherwise:
                    unit.clear()
                    unit.pass_by(several)
                    unit.add_rest(several)
                    unit.finish()
            unit.activate()

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


@dataclass(frozen=True, slots=True)
class _Tile:
    """Images times outputs, whose sums are in registers together."""

    images: int
    outputs: int


@dataclass(frozen=True, slots=True)
class _Unit:
    """
    The code of one work unit: the outputs that `weights` are for, of the images `x`.

    `sums` is the address of a vector for each, [images, UNIT_OUTPUTS, lanes]; behind them is room
    for inputs, [CACHED_IMAGES, DEPTH]. `y` is the address of the unit's first output.
    """

    code: Code
    f: Any
    x: Rows
    weights: Rows
    bias: Int
    y: Int
    sums: Int

    @staticmethod
    def of(code: Code, f: Any, scratch: Int, output_block: Int, image_block: Int) -> "_Unit":
        """The unit of a block of outputs and a block of images."""
        output, image = output_block * f.unit_outputs, image_block * UNIT_IMAGES
        x = Rows(code, f.x, f.x_image, f.batch).after(image)
        weights = Rows(code, f.weights, f.inputs, f.outputs).after(output)
        y = f.y + (image * f.y_image + output) * _FLOAT
        return _Unit(code, f, x, weights, f.bias + output * _FLOAT, y, scratch)

    @property
    def images(self) -> Int:
        """The number of images."""
        return self.x.count.min(UNIT_IMAGES)

    @property
    def outputs(self) -> Int:
        """The number of outputs."""
        return self.weights.count.min(self.f.unit_outputs)

    @property
    def whole(self) -> Int:
        """The number of inputs that fill vectors; fewer than lanes are left over."""
        return self.f.inputs // self.code.lanes * self.code.lanes

    def clear(self) -> None:
        """Begin all sums with 0."""
        code = self.code
        zero, sums = code.vector(0.0), code.pointer(self.sums)
        with code.each(0, self.images) as image:
            first = image * (UNIT_OUTPUTS * code.lanes)
            with code.each(0, self.outputs) as output:
                code.store(zero, sums, first + output * code.lanes)

    def stream(self, tile: _Tile) -> None:
        """All of one image: the weights stream past, each used once, and sums stay in registers."""
        code, f = self.code, self.f
        images, zeros = [self.x.start(0)], [code.vector(0.0)] * tile.outputs
        lanes = code.first_lanes(f.inputs - self.whole)
        with code.each(0, self.outputs, tile.outputs) as output:
            weights = [self.weights.start(output + o) for o in range(tile.outputs)]

            def add(k: Value, sums: list[Vector], mask: Mask | None = None) -> list[Vector]:
                return _add(code, images, weights, k, sums, mask)

            sums = code.loop(0, self.whole, code.lanes, zeros, add)
            # The products that do not fill a vector, if there are any.
            sums = code.loop(self.whole, f.inputs, code.lanes, sums, partial(add, mask=lanes))
            for first in range(0, tile.outputs, code.lanes):
                some = sums[first : first + code.lanes]
                some += zeros[: code.lanes - len(some)]
                self.write(some, self.y, output + first)

    def pass_by(self, tile: _Tile) -> None:
        """Add up several images: a block of their inputs stays near while weights pass by."""
        code = self.code
        few = self.images.is_("<=", tile.images)  # one tile of images needs no block
        with code.each(0, self.whole, self.whole.where(few, DEPTH)) as start:
            stop = self.whole.where(few, (start + DEPTH).min(self.whole))
            with code.each(0, self.images, CACHED_IMAGES) as first:
                far = self.x.after(first)
                address = self.sums + UNIT_IMAGES * UNIT_OUTPUTS * code.lanes * _FLOAT
                count = far.count.min(CACHED_IMAGES)
                near = Rows(code, address - start * _FLOAT, code.integer(DEPTH), count)
                with code.builder.if_then(code.builder.not_(few)):
                    self.copy(far, near, start, stop)
                rows = Rows(
                    code,
                    far.address.where(few, near.address),
                    far.stride.where(few, near.stride),
                    count,
                )
                with (
                    code.each(0, self.outputs, tile.outputs) as output,
                    code.each(0, count, tile.images) as i,
                ):
                    self.add_vectors(tile, rows.after(i), first + i, output, start, stop)

    def copy(self, far: Rows, near: Rows, start: Int, stop: Int) -> None:
        """Copy the floats `start` to `stop` of each row."""
        code = self.code
        with code.each(0, near.count) as i:
            source, place = far.start(i), near.start(i)
            with code.each(start, stop, code.lanes) as k:
                code.store(code.load(source, k), place, k)

    def add_vectors(
        self, tile: _Tile, x: Rows, image: Int, output: Int, start: Int, stop: Int
    ) -> None:
        """
        Add the products `start` to `stop` to the sums of the tile at `image` and `output`.

        `x` are the rows from that image on. If other tiles share these weights, this one asks for
        a part of the weights that come next.
        """
        code = self.code
        images = [x.start(i) for i in range(tile.images)]
        weights = [self.weights.start(output + o) for o in range(tile.outputs)]
        part = (image // tile.images).min(tile.outputs - 1)
        ahead = self.weights.start(output + tile.outputs + part)

        def add(k: Value, sums: list[Vector]) -> list[Vector]:
            if tile.images > 1:
                code.prefetch(ahead, k)
            return _add(code, images, weights, k, sums)

        places = self._places(tile, image, output)
        before = [code.load(place) for place in places]
        sums = code.loop(start, stop, code.lanes, before, add)
        for total, place in zip(sums, places, strict=True):
            code.store(total, place)

    def add_rest(self, tile: _Tile) -> None:
        """Add the products that do not fill a vector."""
        code, rest = self.code, self.f.inputs - self.whole
        lanes = code.first_lanes(rest)
        with (
            code.builder.if_then(rest.is_(">", 0)),
            code.each(0, self.images, tile.images) as image,
            code.each(0, self.outputs, tile.outputs) as output,
        ):
            images = [self.x.start(image + i) for i in range(tile.images)]
            weights = [self.weights.start(output + o) for o in range(tile.outputs)]
            places = self._places(tile, image, output)
            sums = [code.load(place) for place in places]
            sums = _add(code, images, weights, self.whole, sums, lanes)
            for total, place in zip(sums, places, strict=True):
                code.store(total, place)

    def finish(self) -> None:
        """Write the outputs of several images."""
        code = self.code
        with (
            code.each(0, self.images) as image,
            code.each(0, self.outputs, code.lanes) as output,
        ):
            place = self._place(image, output)
            sums = [code.load(place, j * code.lanes) for j in range(code.lanes)]
            self.write(sums, self.y + image * self.f.y_image * _FLOAT, output)

    def write(self, sums: list[Vector], y: Int, output: Int) -> None:
        """Add up the lanes of sums and the bias, and write the outputs from that number on."""
        code, bounds = self.code, Bounds.of(self.code, self.f)
        count = (self.outputs - output).max(0).min(code.lanes)
        bias = code.load_first(code.pointer(self.bias), output, code.first_lanes(count))
        code.store_first(bounds.clamp(code.sums(sums) + bias), code.pointer(y), output, count)

    def activate(self) -> None:
        """Apply the activation function, if any, to the unit's outputs."""
        code, f = self.code, self.f
        with code.builder.if_then(f.activation.is_("!=", 0)):
            call(code, f.activation, self.y, self.images, self.outputs, f.y_image)

    def _place(self, image: Int, output: Int) -> Value:
        """Where the sums of an image and an output lie."""
        number = image * UNIT_OUTPUTS + output
        return self.code.at(self.code.pointer(self.sums), number * self.code.lanes)

    def _places(self, tile: _Tile, image: Int, output: Int) -> list[Value]:
        """Where the sums of a tile lie."""
        first, lanes = self._place(image, output), self.code.lanes
        offsets = [i * UNIT_OUTPUTS + o for i in range(tile.images) for o in range(tile.outputs)]
        return [self.code.at(first, offset * lanes) for offset in offsets]


def _add(
    code: Code,
    images: list[Value],
    weights: list[Value],
    k: "Value | Int",
    sums: list[Vector],
    lanes: Mask | None = None,
) -> list[Vector]:
    """The sums of a tile after the products of one vector of each row, `k` floats on."""

    def load(row: Value) -> Vector:
        return code.load_first(row, k, lanes) if lanes else code.load(row, k)

    factors = [load(row) for row in weights]
    after: list[Vector] = []
    for i, row in enumerate(images):
        values = load(row)
        mine = sums[i * len(weights) : (i + 1) * len(weights)]
        after += [values.fma(w, total) for w, total in zip(factors, mine, strict=True)]
    return after
