"""Winograd convolution. See lowering/conv_winograd.py for the fields and the idea."""

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.conv_pixels import Pixels
from cnndsl.backends.cpu.kernels.register_tile import LINE
from cnndsl.backends.cpu.kernels.winograd_transforms import inputs_at_points, outputs_of_points
from cnndsl.backends.cpu.lowering.conv_winograd import PAD, ConvWinogradFields
from cnndsl.backends.cpu.memory import call, entry, read_fields, set_entry
from cnndsl.backends.cpu.program_layout import CACHE_LINE, NOTE
from cnndsl.backends.cpu.vectors import Vector

_FLOAT = 4  # bytes
_NEAR = 64  # floats ahead of those in use: some turns


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
    outputs = down, across
    sides = down + taps_down - 1, across + taps_across - 1

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, ConvWinogradFields)
        ranges = (f.panel_count + f.unit_panels - 1) // f.unit_panels
        note = code.integer(scratch)  # which strip the inputs at the points are of
        unit = _Unit.of(code, f, note + CACHE_LINE, sides, outputs, squares, vectors, taken, runs)
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
            with code.each(start.where(only_inputs, 0), stop.where(only_inputs, made)) as square:
                unit.transform_inputs(square)
            first = part * f.unit_panels
            panels = none.where(only_inputs, (f.panel_count - first).min(f.unit_panels))
            tiles = (count + squares - 1) // squares
            share = unit.share(tiles)
            with code.each(0, unit.points) as point, code.each(0, panels) as place:
                unit.multiply(point, _Panels(first, panels), place, tiles, share)
            with code.each(0, none.where(only_inputs, count)) as square:
                unit.transform_outputs(square, strip * f.unit_squares + square, first, panels)

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


class _Ahead(NamedTuple):
    """Weights that are asked for: lines at `places`, which go on by `step` floats an input map."""

    places: list[Value]
    step: Int
    lines: int


class _Panels(NamedTuple):
    """The panels of a unit: `number` of them, from the panel `first` on."""

    first: Int
    number: Int


class _Share(NamedTuple):
    """
    What each tile asks for of the panel that comes next.

    Its part has `part` floats, of which it asks for `step` an input map.
    """

    part: Int
    step: Int


@dataclass(frozen=True, slots=True)
class _Unit:
    """
    The code of work units, a strip of squares and a range of panels each.

    In scratch lie the inputs at the points, [points, squares, in_maps], unless threads share them,
    the products, [points, squares, maps of the unit], with PAD after each point, and room for two
    squares.
    """

    code: Code
    f: Any
    squares: Pixels
    sides: tuple[int, int]
    outputs: tuple[int, int]
    vectors: int
    taken: int
    runs: int
    inputs: Int
    products: Int
    spare: Int

    @staticmethod
    def of(
        code: Code,
        f: Any,
        scratch: Int,
        sides: tuple[int, int],
        outputs: tuple[int, int],
        tile_squares: int,
        vectors: int,
        taken: int,
        runs: int,
    ) -> "_Unit":
        """The units whose memory begins at `scratch`."""
        points = prod(sides)
        row = f.unit_panels * (vectors * code.lanes)
        own = f.inputs.is_("==", 0)
        inputs = scratch.where(own, f.inputs)
        made = ((f.unit_squares * f.in_maps + PAD) * (points * _FLOAT)).where(own, 0)
        products = scratch + made
        spare = products + (f.unit_squares * row + PAD) * (points * _FLOAT)
        grid = _Grid(
            batch=f.batch,
            height=f.down,
            width=f.across,
            unit_pixels=f.unit_squares,
            x_image=f.x_image,
            x_down=f.x_row * outputs[0],
            x_right=f.x_pixel * outputs[1],
            y_image=f.y_image,
            y_row=f.y_row * outputs[0],
            y_pixel=f.y_pixel * outputs[1],
        )
        tables = spare + 2 * points * code.lanes * _FLOAT
        pixels = Pixels(code, grid, tables, tile_squares)
        memory = inputs, products, spare
        return _Unit(code, f, pixels, sides, outputs, vectors, taken, runs, *memory)

    @property
    def points(self) -> int:
        """Points of a square."""
        return prod(self.sides)

    @property
    def width(self) -> int:
        """Output maps of a tile."""
        return self.vectors * self.code.lanes

    def input_at(self, point: "Int | int", square: "Int | int") -> Value:
        """Where the inputs of a square at a point lie."""
        offset = (self.f.unit_squares * self.f.in_maps + PAD) * point + self.f.in_maps * square
        return self.code.at(self.code.pointer(self.inputs), offset)

    def product_at(self, point: "Int | int", square: "Int | int") -> Value:
        """Where the products of a square at a point lie."""
        row = self.f.unit_panels * self.width
        offset = (self.f.unit_squares * row + PAD) * point + row * square
        return self.code.at(self.code.pointer(self.products), offset)

    def transform_inputs(self, square: Int) -> None:
        """
        Evaluate all maps of a square at the points: down each column, then along each row.

        What a vector holds beyond its run is written over by the next run or square.
        """
        code, f, lanes, (height, width) = self.code, self.f, self.code.lanes, self.sides
        down, across = self.outputs
        x, half = self.squares.read(square, code.pointer(f.x)), code.pointer(self.spare)
        run, x_run = f.in_maps // self.runs, f.x_row // self.runs
        with code.each(0, self.runs) as number, code.each(0, run, lanes) as start:
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
                    code.store(value, self.input_at(i * width + j, square), first)

    def multiply(self, point: Int, panels: _Panels, place: Int, tiles: Int, share: _Share) -> None:
        """
        Compute the products of `tiles` tiles of squares with one panel at a point.

        They become panel `place` of the unit. Squares beyond the last fill the last tile: what they
        hold is nobody's. Of several tiles, each asks for its share of the panel that comes next; a
        tile alone is done too soon for that, and asks for what it reads itself a little later.
        """
        code, f, squares = self.code, self.f, self.squares.spare
        weights = self.panel(point, panels.first + place)
        inputs = self.input_at(point, 0)
        products = code.at(self.product_at(point, 0), place * self.width)

        def tile(number: Value, state: list[Any]) -> list[Any]:
            inputs, products, next_part = state
            lines = self.lines(self.width // 2)
            self.tile(inputs, products, weights, _Ahead([next_part], share.step, lines))
            return [
                code.at(inputs, f.in_maps * squares),
                code.at(products, f.unit_panels * (self.width * squares)),
                code.at(next_part, share.part),
            ]

        with code.builder.if_else(tiles.is_("==", 1)) as (alone, several):
            with alone:
                near = [code.at(start, _NEAR) for start in self.streams(weights)]
                step, lines = code.integer(code.lanes), self.lines(code.lanes)
                self.tile(inputs, products, weights, _Ahead(near, step, lines))
            with several:
                next_panel = self.after(point, panels, place)
                code.loop(0, tiles, 1, [inputs, products, next_panel], tile)

    def panel(self, point: Int, number: Int) -> Value:
        """The weights of a panel at a point."""
        size = self.f.in_maps * (self.width * _FLOAT)
        return self.code.pointer(self.f.weights + (point * self.f.panel_count + number) * size)

    def after(self, point: Int, panels: _Panels, place: Int) -> Value:
        """
        The panel that comes next: at the last point it is the first one, for the next unit.

        There has to be one: to ask for what lies on a page that is not there takes hundreds of
        cycles each time.
        """
        stays = (place + 1).is_("<", panels.number)
        following = (point + 1).where((point + 1).is_("<", self.points), 0)
        return self.panel(point.where(stays, following), panels.first + (place + 1).where(stays, 0))

    def share(self, tiles: Int) -> _Share:
        """What each of so many tiles asks for."""
        return _Share(self.f.in_maps * self.width // tiles, self.code.integer(self.width) // tiles)

    def streams(self, weights: Value) -> list[Value]:
        """Where the weights of each vector of a panel begin: the memory system follows them all."""
        return [
            self.code.at(weights, self.f.in_maps * (vector * self.code.lanes))
            for vector in range(self.vectors)
        ]

    def lines(self, floats: int) -> int:
        """Lines of the cache that a turn reads of a stream of so many floats an input map."""
        return max(1, floats * self.taken // LINE)

    def tile(self, inputs: Value, products: Value, weights: Value, ahead: "_Ahead") -> None:
        """Compute the products of a tile of squares, at `inputs`, with the panel at `weights`."""
        code, f = self.code, self.f
        rows = [code.at(inputs, f.in_maps * i) for i in range(self.squares.spare)]
        sums = self.sums(rows, weights, ahead)
        for i in range(len(rows)):
            product = code.at(products, f.unit_panels * (self.width * i))
            for j in range(self.vectors):
                code.store(sums[i * self.vectors + j], product, j * code.lanes)

    def sums(self, rows: list[Value], weights: Value, ahead: "_Ahead") -> list[Vector]:
        """The sums of a tile, [squares][vectors], of inputs in `rows` times the rows of a panel."""
        code, taken, asked = self.code, self.taken, len(ahead.places)

        def turn(first: Value, state: list[Any]) -> list[Any]:
            weights, places, sums = state[0], state[1 : 1 + asked], state[1 + asked :]
            for place in places:
                for line in range(ahead.lines):
                    code.prefetch(place, line * LINE)
            starts = [code.at(row, first) for row in rows]
            for k in range(taken):
                row = [code.load(start, k * code.lanes) for start in self.streams(weights)]
                for i, start in enumerate(starts):
                    value = code.broadcast(start, k)
                    for j, w in enumerate(row, i * self.vectors):
                        sums[j] = value.fma(w, sums[j])
            places = [code.at(place, ahead.step * taken) for place in places]
            return [code.at(weights, code.lanes * taken), *places, *sums]

        zeros = [code.vector(0.0)] * (len(rows) * self.vectors)
        state = [weights, *ahead.places, *zeros]
        return code.loop(0, self.f.in_maps, taken, state, turn)[1 + asked :]

    def transform_outputs(self, square: Int, number: Int, first: Int, panels: Int) -> None:
        """
        Turn the products of a square into outputs, and write those that are in the image.

        `number` counts the square through the batch. The outputs are of `panels` panels, from
        panel `first` on.
        """
        code, f, lanes, (height, width) = self.code, self.f, self.code.lanes, self.sides
        down, right = self.outputs
        b = code.builder
        line = number // f.across
        across = number - line * f.across
        rows = (f.height - (line - line // f.down * f.down) * down).min(down)
        columns = (f.width - across * right).min(right)
        inside = b.and_(rows.is_("==", down), columns.is_("==", right))
        maps = (f.out_maps - first * self.width).min(panels * self.width)
        y = self.squares.written(square, code.pointer(f.y + first * (self.width * _FLOAT)))
        bias = code.pointer(f.bias + first * (self.width * _FLOAT))
        half = code.pointer(self.spare)
        room = code.pointer(self.spare + height * width * lanes * _FLOAT)
        low = code.vector(code.float_field(f.low))
        with code.each(0, maps, lanes) as start:
            with code.each(0, width) as j:
                values = [
                    code.load(self.product_at(j + i * width, square), start) for i in range(height)
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
