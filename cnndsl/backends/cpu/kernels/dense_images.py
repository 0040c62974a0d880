"""Dense layers, a lane an image. See lowering/dense_images.py for the fields and the idea."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.rows import Rows
from cnndsl.backends.cpu.kernels.transpose import transposed
from cnndsl.backends.cpu.lowering.dense_images import (
    DEPTH,
    UNIT_IMAGES,
    UNIT_OUTPUTS,
    DenseImagesFields,
)
from cnndsl.backends.cpu.memory import call, entry, read_fields, set_entry
from cnndsl.backends.cpu.program_layout import CACHE_LINE, NOTE
from cnndsl.backends.cpu.vectors import Mask, Vector

_FLOAT = 4  # bytes
_TURN = 4  # inputs of a turn of the inner loop


def dense_images(vectors: int, outputs: int, lanes: int) -> Any:
    """The kernel whose tile is `vectors` of images times `outputs`."""

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, DenseImagesFields)
        note = code.integer(scratch)  # which images are turned
        blocks = (f.outputs + UNIT_OUTPUTS - 1) // UNIT_OUTPUTS
        with code.each(begin, end) as number:
            images = number // blocks
            room = note + CACHE_LINE
            unit = _Unit.of(code, f, vectors, room, number - images * blocks, images)
            with code.builder.if_then(entry(code, note, NOTE).is_("!=", images + 1)):
                unit.turn_inputs()
                set_entry(code, note, NOTE, images + 1)
            unit.clear()
            unit.pass_by(outputs)
            unit.finish()
            unit.activate()

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


@dataclass(frozen=True, slots=True)
class _Unit:
    """
    The code of one work unit: the outputs that `weights` are for, of the images `x`.

    `sums` is the address of sums of each tile of images, [UNIT_OUTPUTS, width], and `turned` that
    of the tiles' inputs, [inputs filled up to whole vectors, width]. `y` is the address of the
    unit's first output.
    """

    code: Code
    f: Any
    vectors: int
    x: Rows
    weights: Rows
    bias: Int
    y: Int
    sums: Int
    turned: Int

    @staticmethod
    def of(
        code: Code, f: Any, vectors: int, room: Int, output_block: Int, image_block: Int
    ) -> "_Unit":
        """The unit of a block of outputs and a block of images."""
        output, image = output_block * UNIT_OUTPUTS, image_block * UNIT_IMAGES
        return _Unit(
            code,
            f,
            vectors,
            x=Rows(code, f.x, f.x_image, f.batch).after(image),
            weights=Rows(code, f.weights, f.inputs, f.outputs).after(output),
            bias=f.bias + output * _FLOAT,
            y=f.y + (image * f.y_image + output) * _FLOAT,
            sums=room,
            turned=room + UNIT_IMAGES * UNIT_OUTPUTS * _FLOAT,
        )

    @property
    def width(self) -> int:
        """Images of a tile."""
        return self.vectors * self.code.lanes

    @property
    def images(self) -> Int:
        """The number of images."""
        return self.x.count.min(UNIT_IMAGES)

    @property
    def outputs(self) -> Int:
        """The number of outputs."""
        return self.weights.count.min(UNIT_OUTPUTS)

    def turn_inputs(self) -> None:
        """Write the inputs so that images lie side by side; behind the last ones are zeros."""
        code, lanes, inputs = self.code, self.code.lanes, self.f.inputs
        whole = inputs // lanes * lanes
        rest = code.first_lanes(inputs - whole)
        with code.each(0, self.images, self.width) as image, code.each(0, self.vectors) as number:
            first = number * lanes
            rows = [self.x.start(image + first + i) for i in range(lanes)]
            place = code.at(self._inputs(image), first)
            with code.each(0, whole, lanes) as k:
                self._turn(rows, k, place)
            with code.builder.if_then(whole.is_("<", inputs)):
                self._turn(rows, whole, place, rest)

    def _turn(self, rows: list[Value], k: Int, place: Value, lanes: Mask | None = None) -> None:
        """Write a square of inputs, those from `k` on."""
        code = self.code
        square = [code.load_first(row, k, lanes) if lanes else code.load(row, k) for row in rows]
        start = code.at(place, k * self.width)
        for i, vector in enumerate(transposed(code, square)):
            code.store(vector, start, i * self.width)

    def clear(self) -> None:
        """Begin all sums with 0."""
        code = self.code
        zero, sums = code.vector(0.0), code.pointer(self.sums)
        with code.each(0, self._tiles * (UNIT_OUTPUTS * self.width), code.lanes) as i:
            code.store(zero, sums, i)

    def pass_by(self, outputs: int) -> None:
        """Add up the products, a block of inputs after the other, in tiles of so many outputs."""
        code, inputs = self.code, self.f.inputs
        with code.each(0, inputs, DEPTH) as start:
            stop = (start + DEPTH).min(inputs)
            with (
                code.each(0, self.outputs, outputs) as output,
                code.each(0, self.images, self.width) as image,
            ):
                self.add(outputs, output, image, start, stop)

    def add(self, outputs: int, output: Int, image: Int, start: Int, stop: Int) -> None:
        """Add the products `start` to `stop` to the sums of the tile at `output` and `image`."""
        code = self.code
        x = self._inputs(image)
        weights = [self.weights.start(output + o) for o in range(outputs)]

        def turn(k: Value, sums: list[Vector], count: int) -> list[Vector]:
            after = list(sums)
            for i in range(count):
                at = code.integer(k) + i
                row = code.at(x, at * self.width)
                values = [code.load(row, v * code.lanes) for v in range(self.vectors)]
                for o, start in enumerate(weights):
                    weight = code.broadcast(start, at)
                    for v, value in enumerate(values):
                        number = o * self.vectors + v
                        after[number] = weight.fma(value, after[number])
            return after

        whole = start + (stop - start) // _TURN * _TURN
        sums = [code.vector(0.0)] * (outputs * self.vectors)
        sums = code.loop(start, whole, _TURN, sums, partial(turn, count=_TURN))
        sums = code.loop(whole, stop, 1, sums, partial(turn, count=1))
        place = self._sums(output, image)
        for i, total in enumerate(sums):
            code.store(code.load(place, i * code.lanes) + total, place, i * code.lanes)

    def finish(self) -> None:
        """Turn the sums and write the outputs, [images][outputs]."""
        code, f, lanes, bounds = self.code, self.f, self.code.lanes, Bounds.of(self.code, self.f)
        bias = code.pointer(self.bias)
        with (
            code.each(0, self.outputs, lanes) as output,
            code.each(0, self.images, self.width) as image,
            code.each(0, self.vectors) as number,
        ):
            count = (self.outputs - output).min(lanes)
            biases = code.load_first(bias, output, code.first_lanes(count))
            first = number * lanes
            place = code.at(self._sums(output, image), first)
            square = [code.load(place, o * self.width) for o in range(lanes)]
            for i, vector in enumerate(transposed(code, square)):
                row = image + first + i
                with code.builder.if_then(row.is_("<", self.images)):
                    y = code.pointer(self.y + row * f.y_image * _FLOAT)
                    code.store_first(bounds.clamp(vector + biases), y, output, count)

    def activate(self) -> None:
        """Apply the activation function, if any, to the unit's outputs."""
        code, f = self.code, self.f
        with code.builder.if_then(f.activation.is_("!=", 0)):
            call(code, f.activation, self.y, self.images, self.outputs, f.y_image)

    @property
    def _tiles(self) -> Int:
        """The number of tiles of images."""
        return (self.images + self.width - 1) // self.width

    def _inputs(self, image: Int) -> Value:
        """Where the turned inputs lie of the tile that begins with that image."""
        code, lanes = self.code, self.code.lanes
        filled = (self.f.inputs + lanes - 1) // lanes * lanes
        return code.pointer(self.turned + image * filled * _FLOAT)

    def _sums(self, output: Int, image: Int) -> Value:
        """Where the sums lie of that output and the tile that begins with that image."""
        return self.code.pointer(self.sums + (image * UNIT_OUTPUTS + output * self.width) * _FLOAT)
