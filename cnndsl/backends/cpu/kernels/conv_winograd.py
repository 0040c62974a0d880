"""Winograd convolution. See lowering/conv_winograd.py for the fields and the idea."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.conv_pixels import Pixels
from cnndsl.backends.cpu.kernels.register_tile import RegisterTile
from cnndsl.backends.cpu.lowering.conv_winograd import PAD, POINTS, SIDE, ConvWinogradFields
from cnndsl.backends.cpu.memory import call, read_fields
from cnndsl.backends.cpu.vectors import Code, Vector, emits

_FLOAT = 4  # bytes


def conv_winograd(outputs: int, squares: int, vectors: int, lanes: int) -> Any:
    """
    The kernel for squares of `outputs` x `outputs`.

    The tile of its products is `squares` times `vectors` of `lanes` output maps.
    """

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, ConvWinogradFields)
        strips = (f.batch * f.down * f.across + f.unit_squares - 1) // f.unit_squares
        with code.each(begin, end) as number:
            part = number // strips
            strip, first = number - part * strips, part * f.unit_panels
            panels = (f.panel_count - first).min(f.unit_panels)
            unit = _Unit.of(code, f, code.integer(scratch), outputs, squares, vectors)
            unit.squares.locate(strip)
            count = unit.squares.count(strip)
            with code.each(0, count) as square:
                unit.transform_inputs(square)
            with (
                code.each(0, POINTS) as point,
                code.each(0, panels) as panel,
                code.each(0, count, squares) as square,
            ):
                unit.multiply(point, first + panel, panel, square, count)
            with code.each(0, count) as square:
                unit.transform_outputs(square, strip * f.unit_squares + square, first, panels)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


def _inputs_at_points(d: list[Vector]) -> list[Vector]:
    """Six neighbouring inputs at the six points."""
    even, odd = d[2].fma(-4.0, d[4]), d[1].fma(-4.0, d[3])
    even_2, odd_2 = d[4] - d[2], (d[3] - d[1]) * 2.0
    return [
        d[0].fma(4.0, d[2].fma(-5.0, d[4])),
        even + odd,
        even - odd,
        even_2 + odd_2,
        even_2 - odd_2,
        d[1].fma(4.0, d[3].fma(-5.0, d[5])),
    ]


def _four_outputs(m: list[Vector]) -> list[Vector]:
    """Four neighbouring outputs of a filter of 3 taps, from the products at the points."""
    even, odd = m[1] + m[2], m[1] - m[2]
    even_2, odd_2 = m[3] + m[4], m[3] - m[4]
    return [
        m[0] + even + even_2,
        odd_2.fma(2.0, odd),
        even_2.fma(4.0, even),
        odd_2.fma(8.0, odd) + m[5],
    ]


def _two_outputs(m: list[Vector]) -> list[Vector]:
    """Two neighbouring outputs of a filter of 5 taps, from the products at the points."""
    even, odd = m[1] + m[2], m[1] - m[2]
    return [m[0] + even + (m[3] + m[4]), (m[3] - m[4]).fma(2.0, odd) + m[5]]


_OUTPUTS: dict[int, Callable[[list[Vector]], list[Vector]]] = {4: _four_outputs, 2: _two_outputs}


class _Grid(NamedTuple):
    """The squares of a batch, named as `Pixels` names pixels."""

    batch: Int
    height: Int
    width: Int
    unit_pixels: Int
    x_image: Int
    x_down: Int
    x_right: Int
    y_image: Int
    y_row: Int
    y_pixel: Int


@dataclass(frozen=True, slots=True)
class _Unit:
    """
    The code of one work unit.

    In scratch lie the inputs at the points, [POINTS, squares, in_maps], the products,
    [POINTS, squares, maps of the unit], with PAD after each point, and room for two squares.
    """

    code: Code
    f: Any
    squares: Pixels
    outputs: int
    vectors: int
    inputs: Int
    products: Int
    spare: Int

    @staticmethod
    def of(
        code: Code, f: Any, scratch: Int, outputs: int, tile_squares: int, vectors: int
    ) -> "_Unit":
        """The unit whose memory begins at `scratch`."""
        width = vectors * code.lanes
        products = scratch + (f.unit_squares * f.in_maps + PAD) * (POINTS * _FLOAT)
        row = f.unit_panels * width
        spare = products + (f.unit_squares * row + PAD) * (POINTS * _FLOAT)
        grid = _Grid(
            batch=f.batch,
            height=f.down,
            width=f.across,
            unit_pixels=f.unit_squares,
            x_image=f.x_image,
            x_down=f.x_row * outputs,
            x_right=f.x_pixel * outputs,
            y_image=f.y_image,
            y_row=f.y_row * outputs,
            y_pixel=f.y_pixel * outputs,
        )
        tables = spare + 2 * POINTS * code.lanes * _FLOAT
        pixels = Pixels(code, grid, tables, tile_squares)
        return _Unit(code, f, pixels, outputs, vectors, scratch, products, spare)

    @property
    def width(self) -> int:
        """Output maps of a tile."""
        return self.vectors * self.code.lanes

    def input_at(self, point: "Int | int", square: Int) -> Value:
        """Where the inputs of a square at a point lie."""
        offset = (self.f.unit_squares * self.f.in_maps + PAD) * point + square * self.f.in_maps
        return self.code.at(self.code.pointer(self.inputs), offset)

    def product_at(self, point: "Int | int", square: Int) -> Value:
        """Where the products of a square at a point lie."""
        row = self.f.unit_panels * self.width
        offset = (self.f.unit_squares * row + PAD) * point + square * row
        return self.code.at(self.code.pointer(self.products), offset)

    def transform_inputs(self, square: Int) -> None:
        """Evaluate all maps of a square at the points: down each column, then along each row."""
        code, f = self.code, self.f
        x, half = self.squares.read(square, code.pointer(f.x)), code.pointer(self.spare)
        with code.each(0, f.in_maps, code.lanes) as start:
            first = start.min(f.in_maps - code.lanes)  # the last vector may overlap its neighbour
            with code.each(0, SIDE) as j:
                column = code.at(x, first + j * f.x_pixel)
                values = [code.load(column, f.x_row * i) for i in range(SIDE)]
                place = code.at(half, j * (SIDE * code.lanes))
                for i, value in enumerate(_inputs_at_points(values)):
                    code.store(value, place, i * code.lanes)
            with code.each(0, SIDE) as i:
                row = code.at(half, i * code.lanes)
                values = [code.load(row, j * SIDE * code.lanes) for j in range(SIDE)]
                for j, value in enumerate(_inputs_at_points(values)):
                    code.store(value, self.input_at(i * SIDE + j, square), first)

    def multiply(self, point: Int, panel: Int, place: Int, square: Int, count: Int) -> None:
        """
        Compute one tile of the products at a point, over all input maps.

        It is of the squares from `square` on, of `count`, and becomes panel `place` of the unit.
        """
        code, f, width = self.code, self.f, self.width
        tile = range(self.squares.spare)
        rows = [self.input_at(point, (square + i).min(count - 1)) for i in tile]
        number = (point * f.panel_count + panel) * f.in_maps
        panel_start = code.pointer(f.weights + number * (width * _FLOAT))
        zeros = [code.vector(0.0)] * self.vectors
        first = RegisterTile.begin(code, rows, panel_start, f.in_maps, square, zeros)
        sums = first.add(f.in_maps)
        for i in tile:
            product = code.at(self.product_at(point, square + i), place * width)
            for j in range(self.vectors):
                code.store(sums[i * self.vectors + j], product, j * code.lanes)

    def transform_outputs(self, square: Int, number: Int, first: Int, panels: Int) -> None:
        """
        Turn the products of a square into outputs, and write those that are in the image.

        `number` counts the square through the batch. The outputs are of `panels` panels, from
        panel `first` on.
        """
        code, f, lanes, outputs = self.code, self.f, self.code.lanes, self.outputs
        b = code.builder
        line = number // f.across
        across = number - line * f.across
        rows = (f.height - (line - line // f.down * f.down) * outputs).min(outputs)
        columns = (f.width - across * outputs).min(outputs)
        inside = b.and_(rows.is_("==", outputs), columns.is_("==", outputs))
        maps = (f.out_maps - first * self.width).min(panels * self.width)
        y = self.squares.written(square, code.pointer(f.y + first * (self.width * _FLOAT)))
        bias = code.pointer(f.bias + first * (self.width * _FLOAT))
        half, room = code.pointer(self.spare), code.pointer(self.spare + POINTS * lanes * _FLOAT)
        bounds = Bounds.of(code, f)
        with code.each(0, maps, lanes) as start:
            with code.each(0, SIDE) as j:
                values = [
                    code.load(self.product_at(j + i * SIDE, square), start) for i in range(SIDE)
                ]
                place = code.at(half, j * (outputs * lanes))
                for i, value in enumerate(_OUTPUTS[outputs](values)):
                    code.store(value, place, i * lanes)
            count = (maps - start).min(lanes)
            direct = b.and_(inside, count.is_("==", lanes))
            place = b.select(direct, code.at(y, start), room)
            down, right = f.y_row.where(direct, outputs * lanes), f.y_pixel.where(direct, lanes)
            with code.each(0, outputs) as i:
                row = code.at(half, i * lanes)
                values = [code.load(row, j * outputs * lanes) for j in range(SIDE)]
                for j, value in enumerate(_OUTPUTS[outputs](values)):
                    total = bounds.clamp(value + code.load(bias, start))
                    code.store(total, place, i * down + right * j)
            with b.if_then(b.not_(direct)), code.each(0, rows) as i, code.each(0, columns) as j:
                total = code.load(room, (i * outputs + j) * lanes)
                code.store_first(total, y, start + i * f.y_row + j * f.y_pixel, count)
        with b.if_then(f.activation.is_("!=", 0)), code.each(0, rows) as i:
            place = code.address(code.at(y, i * f.y_row))
            call(code, f.activation, place, columns, maps, f.y_pixel)
