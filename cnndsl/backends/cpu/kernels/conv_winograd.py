"""Winograd convolution. See lowering/conv_winograd.py for the fields and the idea."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.conv_pixels import Pixels
from cnndsl.backends.cpu.kernels.winograd_half import HalfProducts
from cnndsl.backends.cpu.kernels.winograd_products import AtPoints, Panels, Products
from cnndsl.backends.cpu.kernels.winograd_transforms import inputs_at_points, outputs_of_points
from cnndsl.backends.cpu.lowering.conv_winograd import PAD, ConvWinogradFields
from cnndsl.backends.cpu.memory import call, entry, read_fields, set_entry
from cnndsl.backends.cpu.program_layout import CACHE_LINE, NOTE

_FLOAT = 4  # bytes


def conv_winograd(
    down: int,
    across: int,
    taps_down: int,
    taps_across: int,
    squares: int,
    vectors: int,
    lanes: int,
    taken: int,
    runs: int = 1,
) -> Any:
    """
    The kernel for squares of `down` x `across` outputs of filters of `taps_down` x `taps_across`.

    The tile of its products is `squares` times `vectors` of `lanes` output maps, and takes `taken`
    input maps at a time, of which there are a multiple. The maps of an input lie in `runs` runs.
    """
    square = _Square((down, across), (taps_down, taps_across), squares, runs)

    def products(at: AtPoints) -> Products:
        return Products(at, squares, vectors, taken)

    return _kernel(square, vectors, lanes, products)


def conv_winograd_half(
    down: int,
    across: int,
    taps_down: int,
    taps_across: int,
    squares: int,
    group: int,
    lanes: int,
    taken: int,
    runs: int = 1,
) -> Any:
    """The same of weights that are taken half-way to the points: at those down, taps across."""
    square = _Square((down, across), (taps_down, taps_across), squares, runs)

    def products(at: AtPoints) -> HalfProducts:
        return HalfProducts(at, taps_across, squares, group, taken)

    return _kernel(square, 1, lanes, products)


class _Square(NamedTuple):
    """What a square computes and reads, how many a tile has, and in how many runs inputs lie."""

    outputs: tuple[int, int]
    taps: tuple[int, int]
    of_tile: int
    runs: int

    @property
    def sides(self) -> tuple[int, int]:
        """Inputs of a square, and points, down and across."""
        (down, across), (r, s) = self.outputs, self.taps
        return down + r - 1, across + s - 1


def _kernel(
    square: _Square,
    vectors: int,
    lanes: int,
    products: Callable[[AtPoints], Products | HalfProducts],
) -> Any:
    """The kernel that computes `products` of panels of `vectors` of `lanes` output maps."""

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, ConvWinogradFields)
        ranges = (f.panel_count + f.unit_panels - 1) // f.unit_panels
        note = code.integer(scratch)  # which strip the inputs at the points are of
        unit = _Unit.of(code, f, note + CACHE_LINE, square, vectors * lanes)
        only_inputs, shared = f.only_inputs.is_("==", 1), f.inputs.is_("!=", 0)
        start, stop, none = code.integer(begin), code.integer(end), code.integer(0)
        # Of inputs alone, squares are what is drawn, and all that are drawn are one turn here.
        with code.each(start, (start + 1).where(only_inputs, stop)) as number:
            strip = none.where(only_inputs, number // ranges)
            part = number - strip * ranges
            count = unit.squares.count(strip)
            # The inputs at the points serve all ranges of panels of a strip.
            fresh = entry(code, note, NOTE).is_("!=", strip + 1)
            with code.builder.if_then(fresh):
                set_entry(code, note, NOTE, strip + 1)
                unit.squares.locate(strip)
            made = count.where(code.builder.and_(fresh, code.builder.not_(shared)), 0)
            with code.each(start.where(only_inputs, 0), stop.where(only_inputs, made)) as number:
                unit.transform_inputs(number)
            first = part * f.unit_panels
            panels = none.where(only_inputs, (f.panel_count - first).min(f.unit_panels))
            products(unit.at).multiply(Panels(first, panels), count)
            with code.each(0, none.where(only_inputs, count)) as number:
                unit.transform_outputs(number, strip * f.unit_squares + number, first, panels)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


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
    The code of work units, a strip of squares and a range of panels each.

    In scratch lie what is `at` the points, but for inputs that threads share, and at `spare` room
    for two squares.
    """

    at: AtPoints
    squares: Pixels
    square: _Square
    spare: Int

    @staticmethod
    def of(code: Code, f: Any, scratch: Int, square: _Square, width: int) -> "_Unit":
        """The units whose memory begins at `scratch`, of panels of `width` maps."""
        points, (down, right) = prod(square.sides), square.outputs
        own = f.inputs.is_("==", 0)
        inputs = scratch.where(own, f.inputs)
        made = ((f.unit_squares * f.in_maps + PAD) * (points * _FLOAT)).where(own, 0)
        products = scratch + made
        spare = products + (f.unit_squares * (f.unit_panels * width) + PAD) * (points * _FLOAT)
        grid = _Grid(
            batch=f.batch,
            height=f.down,
            width=f.across,
            unit_pixels=f.unit_squares,
            x_image=f.x_image,
            x_down=f.x_row * down,
            x_right=f.x_pixel * right,
            y_image=f.y_image,
            y_row=f.y_row * down,
            y_pixel=f.y_pixel * right,
        )
        tables = spare + 2 * points * code.lanes * _FLOAT
        at = AtPoints(code, f, square.sides, width, inputs, products)
        return _Unit(at, Pixels(code, grid, tables, square.of_tile), square, spare)

    def transform_inputs(self, square: Int) -> None:
        """
        Evaluate all maps of a square at the points: down each column, then along each row.

        What a vector holds beyond its run is written over by the next run or square.
        """
        code, f, lanes, (height, width) = self.at.code, self.at.f, self.at.code.lanes, self.at.sides
        (down, across), runs = self.square.outputs, self.square.runs
        x, half = self.squares.read(square, code.pointer(f.x)), code.pointer(self.spare)
        run, x_run = f.in_maps // runs, f.x_row // runs
        with code.each(0, runs) as number, code.each(0, run, lanes) as start:
            within = start.min((run - lanes).max(0))  # the last vector may overlap its neighbour
            first = number * run + within
            with code.each(0, width) as j:
                column = code.at(x, number * x_run + within + j * f.x_pixel)
                values = [code.load(column, f.x_row * i) for i in range(height)]
                place = code.at(half, j * (height * lanes))
                for i, value in enumerate(inputs_at_points(values, down)):
                    code.store(value, place, i * lanes)
            with code.each(0, height) as i:
                row = code.at(half, i * lanes)
                values = [code.load(row, j * height * lanes) for j in range(width)]
                for j, value in enumerate(inputs_at_points(values, across)):
                    code.store(value, self.at.input_at(i * width + j, square), first)

    def transform_outputs(self, square: Int, number: Int, first: Int, panels: Int) -> None:
        """
        Turn the products of a square into outputs, and write those that are in the image.

        `number` counts the square through the batch. The outputs are of `panels` panels, from
        panel `first` on.
        """
        code, f, lanes, (height, width) = self.at.code, self.at.f, self.at.code.lanes, self.at.sides
        down, right = self.square.outputs
        b = code.builder
        line = number // f.across
        across = number - line * f.across
        rows = (f.height - (line - line // f.down * f.down) * down).min(down)
        columns = (f.width - across * right).min(right)
        inside = b.and_(rows.is_("==", down), columns.is_("==", right))
        maps = (f.out_maps - first * self.at.width).min(panels * self.at.width)
        y = self.squares.written(square, code.pointer(f.y + first * (self.at.width * _FLOAT)))
        bias = code.pointer(f.bias + first * (self.at.width * _FLOAT))
        half = code.pointer(self.spare)
        room = code.pointer(self.spare + height * width * lanes * _FLOAT)
        low = code.vector(code.float_field(f.low))
        with code.each(0, maps, lanes) as start:
            with code.each(0, width) as j:
                values = [
                    code.load(self.at.product_at(j + i * width, square), start)
                    for i in range(height)
                ]
                place = code.at(half, j * (down * lanes))
                for i, value in enumerate(outputs_of_points(values, down)):
                    code.store(value, place, i * lanes)
            count = (maps - start).min(lanes)
            direct = b.and_(inside, count.is_("==", lanes))
            place = b.select(direct, code.at(y, start), room)
            y_row, y_pixel = f.y_row.where(direct, right * lanes), f.y_pixel.where(direct, lanes)
            with code.each(0, down) as i:
                row = code.at(half, i * lanes)
                values = [code.load(row, j * down * lanes) for j in range(width)]
                for j, value in enumerate(outputs_of_points(values, right)):
                    total = (value + code.load(bias, start)).at_least(low)
                    code.store(total, place, i * y_row + y_pixel * j)
            with b.if_then(b.not_(direct)), code.each(0, rows) as i, code.each(0, columns) as j:
                total = code.load(room, (i * right + j) * lanes)
                code.store_first(total, y, start + i * f.y_row + j * f.y_pixel, count)
        with b.if_then(f.activation.is_("!=", 0)), code.each(0, rows) as i:
            place = code.address(code.at(y, i * f.y_row))
            call(code, f.activation, place, columns, maps, f.y_pixel)
