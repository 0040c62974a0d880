"""Direct convolution, channels last: see lowering/conv_direct.py for the idea and the fields."""

from typing import Any

from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.lowering.conv_direct import ConvDirectFields, Panel, Run
from cnndsl.backends.cpu.memory import (
    call,
    constant,
    entry,
    load_int,
    read_fields,
    set_entry,
)
from cnndsl.backends.cpu.vectors import Code, Vector, emits

_FLOAT, _WORD = 4, 8  # bytes
_AT = ConvDirectFields(*range(len(ConvDirectFields._fields)))


def conv_direct(pixels: int, vectors: int, lanes: int) -> Any:
    """The kernel whose tile is `pixels` times `vectors` of `lanes` output maps."""
    width = vectors * lanes
    tile_bytes = pixels * width * _FLOAT

    @emits(lanes, result="int64")
    def block_of(code: Code, args: Value, unit: Value) -> Value:
        """The block of pixels of a unit."""
        f = read_fields(code, args, ConvDirectFields)
        return (code.integer(unit) // _ranges(f)).value

    @emits(lanes, result="int64")
    def first_panel(code: Code, args: Value, unit: Value) -> Value:
        """The first panel of a unit."""
        f = read_fields(code, args, ConvDirectFields)
        number = code.integer(unit)
        ranges = _ranges(f)
        return ((number - number // ranges * ranges) * f.unit_panels).value

    @emits(lanes, result="int64")
    def locate(code: Code, args: Value, block: Value, tables: Value) -> Value:
        """Write where the pixels of a block are read and written; their number."""
        f = read_fields(code, args, ConvDirectFields)
        first = code.integer(block) * f.unit_pixels
        count = (f.batch * f.height * f.width - first).min(f.unit_pixels)
        end = first + count
        y_table = code.integer(tables) + (f.unit_pixels + pixels) * _WORD

        def line(number: Value, _: list[Any]) -> tuple[()]:
            """The part of one row of one image that lies in the block."""
            row = code.integer(number)
            image = row // f.height
            x = image * f.x_image + (row - image * f.height) * f.x_down
            y = image * f.y_image + (row - image * f.height) * f.y_row
            left = row * f.width
            start = left.max(first)

            def place(pixel: Value, state: list[Int]) -> list[Int]:
                x, y = state
                number = code.integer(pixel) - first
                set_entry(code, tables, number, x)
                set_entry(code, y_table, number, y)
                return [x + f.x_right, y + f.y_pixel]

            ahead = start - left
            begin = [x + ahead * f.x_right, y + ahead * f.y_pixel]
            code.loop(start, (left + f.width).min(end), 1, begin, place)
            return ()

        code.loop(first // f.width, (end - 1) // f.width + 1, 1, (), line)
        last = entry(code, tables, count - 1)
        for i in range(pixels):  # a tile that ends beyond the block repeats its last pixel
            set_entry(code, tables, count + i, last)
        return count.value

    @emits(lanes)
    def compute(
        code: Code, args: Value, scratch: Value, panel: Value, pixel: Value, count: Value
    ) -> None:
        """Compute one tile: the outputs of a panel for pixels `pixel` on, of `count`."""
        f = read_fields(code, args, ConvDirectFields)
        number, at = code.integer(panel), code.integer(pixel)
        info = _panel(code, f, number)
        x_table = code.integer(scratch) + tile_bytes + at * _WORD
        y_table = x_table + (f.unit_pixels + pixels) * _WORD
        x = code.pointer(f.x + info.x_offset * _FLOAT)
        rows = [code.at(x, entry(code, x_table, i)) for i in range(pixels)]
        weights = code.pointer(f.weights + number * f.reduction * (width * _FLOAT))
        bias = code.pointer(f.bias + number * (width * _FLOAT))
        start = [code.load(bias, j * lanes) for j in range(vectors)] * pixels

        def run(r: Value, state: list[Any]) -> list[Any]:
            where = code.integer(r) * len(Run._fields)
            offset, length = (constant(code, f.runs, where + i) for i in range(2))

            def multiply(k: Value, state: list[Any]) -> list[Any]:
                weights, *sums = state
                row = [code.load(weights, j * lanes) for j in range(vectors)]
                after: list[Any] = [code.at(weights, width)]
                for i in range(pixels):
                    value = code.broadcast(rows[i], k)
                    after += [value.fma(row[j], sums[i * vectors + j]) for j in range(vectors)]
                return after

            return code.loop(offset, offset + length, 1, state, multiply)

        _, *sums = code.loop(0, f.run_count, 1, [weights, *start], run)
        left = code.integer(count) - at
        whole = code.builder.and_(left.is_(">=", pixels), info.maps.is_("==", width))
        y = code.pointer(f.y + info.first * _FLOAT)
        low = code.vector(code.float_field(f.low))
        sums = [total.at_least(low) for total in sums]
        with code.builder.if_else(whole) as (then, otherwise):
            with then:
                for i in range(pixels):
                    place = code.at(y, entry(code, y_table, i))
                    _store(code, sums[i * vectors : (i + 1) * vectors], place)
            with otherwise:
                tile = code.pointer(scratch)
                for i in range(pixels):
                    _store(code, sums[i * vectors : (i + 1) * vectors], code.at(tile, i * width))
                copy(code, tile, y, y_table, left.min(pixels), info.maps)

    def copy(code: Code, tile: Value, y: Value, y_table: Int, rows: Int, maps: Int) -> None:
        """Copy the first `maps` of the first `rows` of a tile to their places."""

        def row(i: Value, _: list[Any]) -> tuple[()]:
            source = code.at(tile, code.integer(i) * width)
            place = code.at(y, entry(code, y_table, i))
            full = maps // lanes * lanes

            def vector(j: Value, _: list[Any]) -> tuple[()]:
                code.store(code.load(source, j), place, j)
                return ()

            code.loop(0, full, lanes, (), vector)
            code.store_first(code.load(source, full), place, full, maps - full)
            return ()

        code.loop(0, rows, 1, (), row)

    @emits(lanes)
    def activate(
        code: Code, args: Value, first: Value, last: Value, count: Value, tables: Value
    ) -> None:
        """Call the activation on what panels `first` to `last` wrote, one stretch at a time."""
        f = read_fields(code, args, ConvDirectFields)
        start, *_ = _panel(code, f, code.integer(first))[1:]
        _, final, maps = _panel(code, f, code.integer(last) - 1)
        maps = final + maps - start
        y = f.y + start * _FLOAT
        y_table = code.integer(tables) + (f.unit_pixels + pixels) * _WORD
        alone = maps.is_("==", f.y_pixel)  # nothing lies between the pixels: one long row
        end = code.integer(count)

        def pixel(i: Value, state: list[Int]) -> list[Int]:
            after = code.integer(i) + 1
            here, there = (entry(code, y_table, at) for at in (i, after))
            breaks = there.is_("!=", here + f.y_pixel)
            breaks = code.builder.or_(breaks, after.is_("==", end))
            with code.builder.if_then(breaks):
                rows = after - state[0]
                place = y + entry(code, y_table, state[0]) * _FLOAT
                one = code.integer(1)
                shape = one.where(alone, rows), (rows * maps).where(alone, maps)
                call(code, f.activation, place, *shape, f.y_pixel)
            return [after.where(breaks, state[0])]

        code.loop(0, end, 1, [code.integer(0)], pixel)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        tables = scratch + tile_bytes
        located, count = -1, 0
        for unit in range(begin, end):
            block = block_of(args, unit)
            if block != located:
                located, count = block, locate(args, block, tables)
            first = first_panel(args, unit)
            last = min(first + load_int(args, _AT.unit_panels), load_int(args, _AT.panel_count))
            for panel in range(first, last):
                for pixel in range(0, count, pixels):
                    compute(args, scratch, panel, pixel, count)
            if load_int(args, _AT.activation) != 0:
                activate(args, first, last, count, tables)

    return kernel


def _panel(code: Code, f: ConvDirectFields, number: Int) -> Panel:
    """An entry of the table of panels, as Ints."""
    start, words = number * len(Panel._fields), range(len(Panel._fields))
    return Panel(*[constant(code, f.panels, start + i) for i in words])


def _ranges(f: ConvDirectFields) -> Any:
    """Ranges of panels that the units of a block compute."""
    return (f.panel_count + f.unit_panels - 1) // f.unit_panels


def _store(code: Code, values: list[Vector], place: Value) -> None:
    for j, value in enumerate(values):
        code.store(value, place, j * code.lanes)
