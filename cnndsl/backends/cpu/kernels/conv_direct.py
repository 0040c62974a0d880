"""Direct convolution, channels last. See lowering/conv_direct.py for the fields and the idea."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.conv_pixels import Pixels
from cnndsl.backends.cpu.kernels.register_tile import RegisterTile
from cnndsl.backends.cpu.lowering.conv_direct import LINE, ConvDirectFields, Panel
from cnndsl.backends.cpu.memory import constant, entry, read_fields, set_entry
from cnndsl.backends.cpu.program_layout import CACHE_LINE, NOTE
from cnndsl.backends.cpu.vectors import Vector

_FLOAT = 4  # bytes


def conv_direct(pixels: int, vectors: int, lanes: int, taken: int) -> Any:
    """
    The kernel whose tile is `pixels` times `vectors` of `lanes` output maps.

    It takes runs of `taken` floats that a pixel reads.
    """

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, ConvDirectFields)
        note = code.integer(scratch)  # which block the tables are of
        room = note + CACHE_LINE
        tables = room + f.unit_pixels * f.staged * _FLOAT
        block_pixels = Pixels(code, f, tables, pixels)
        conv = _Conv(code, f, block_pixels, vectors, taken)
        ranges = (f.panel_count + f.unit_panels - 1) // f.unit_panels
        with code.each(begin, end) as unit:
            block = unit // ranges
            count = block_pixels.count(block)
            with code.builder.if_then(entry(code, note, NOTE).is_("!=", block + 1)):
                block_pixels.locate(block)
                with code.builder.if_then(f.staged.is_("!=", 0)):
                    block_pixels.stage(count, room)
                set_entry(code, note, NOTE, block + 1)
            first = (unit - block * ranges) * f.unit_panels
            last = (first + f.unit_panels).min(f.panel_count)
            share = (f.ahead + (last - first) - 1) // (last - first)
            with code.each(first, last) as number:
                # What all tiles of a panel have in common is not found anew for each.
                panel, line = conv.begin(number), (number - first) * share
                lines = share.min(f.ahead - line)
                with code.each(0, count, pixels) as pixel:
                    if vectors > 1:  # of few maps there are too few panels to share it
                        conv.ask(line, lines, pixel)
                    conv.compute(panel, pixel)
            start, (_, final, maps) = conv.panel(first).first, conv.panel(last - 1)
            block_pixels.activate(count, start, final + maps - start)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


class _Panel(NamedTuple):
    """
    Output maps that are computed together: `maps` of them, and where all that is theirs begins.

    Their weights are `size` floats, and those wanted next lie `following` floats behind.
    """

    maps: Int
    x: Value
    y: Value
    bias: Value
    weights: Value
    size: Int
    following: Int


@dataclass(frozen=True, slots=True)
class _Conv:
    """The code of tiles."""

    code: Code
    f: Any
    pixels: Pixels
    vectors: int
    run: int

    @property
    def width(self) -> int:
        """Output maps of a tile."""
        return self.vectors * self.code.lanes

    def panel(self, number: Int) -> Panel:
        """An entry of the table of panels."""
        words = len(Panel._fields)
        return Panel(
            *[constant(self.code, self.f.panels, number * words + i) for i in range(words)]
        )

    def begin(self, number: Int) -> "_Panel":
        """A panel, before its first tile."""
        code, f = self.code, self.f
        x_offset, first, maps = self.panel(number)
        size = f.reduction * self.width
        # The next block begins with the first one.
        following = (number * size * -1).where((number + 1).is_("==", f.panel_count), size)
        return _Panel(
            maps,
            x=code.pointer(f.x + x_offset * _FLOAT),
            y=code.pointer(f.y + first * _FLOAT),
            bias=code.pointer(f.bias + number * (self.width * _FLOAT)),
            weights=code.pointer(f.weights + number * size * _FLOAT),
            size=size,
            following=following,
        )

    def ask(self, first: Int, lines: Int, pixel: Int) -> None:
        """
        Ask for some lines from `first` on of what the next block reads, a share with each panel.

        Else its first panel would wait for all of it, and memory would rest during the others. It
        is taken to lie behind this block; what does not is asked for in vain.
        """
        code, f = self.code, self.f
        with code.builder.if_then(lines.is_(">", 0)):
            x = code.pointer(f.x + (f.unit_pixels * f.x_right + first * LINE) * _FLOAT)
            starts = [self.pixels.read(pixel + i, x) for i in range(self.pixels.spare)]
            with code.each(0, lines) as line:
                for start in starts:
                    code.prefetch(start, line * LINE)

    def compute(self, panel: "_Panel", pixel: Int) -> None:
        """Compute one tile: the outputs of a panel for the pixels from `pixel` on."""
        code, f = self.code, self.f
        with code.builder.if_then(f.onto.is_("!=", 0)):
            for place in self.places(pixel, panel.y):
                code.prefetch(place)
        sums = self.sums(panel, pixel)
        with code.builder.if_else(panel.maps.is_("==", self.width)) as (whole, otherwise):
            with whole:
                places = self.places(pixel, panel.y)
                for row, place in zip(self.outputs(sums, places, self.load), places, strict=True):
                    self.store(row, place)
            with otherwise:
                places = self.places(pixel, panel.y)
                counts = [
                    (panel.maps - j * code.lanes).max(0).min(code.lanes)
                    for j in range(self.vectors)
                ]

                def load(place: Value) -> list[Vector]:
                    masks = enumerate(map(code.first_lanes, counts))
                    return [code.load_first(place, j * code.lanes, mask) for j, mask in masks]

                rows = self.outputs(sums, places, load)
                for j, count in enumerate(counts):
                    starts = [code.at(place, j * code.lanes) for place in places]
                    code.store_first_of([row[j] for row in rows], starts, count)

    def places(self, pixel: Int, y: Value) -> list[Value]:
        """Where the pixels of a tile are written."""
        return [self.pixels.written(pixel + i, y) for i in range(self.pixels.spare)]

    def outputs(
        self, sums: list[Vector], places: list[Value], load: Callable[[Value], list[Vector]]
    ) -> list[list[Vector]]:
        """
        The outputs of a tile's sums, [pixels][vectors].

        Where they are added to what `y` holds, `load` reads the maps of each of `places`.
        """

        def add(_turn: Value, state: list[Vector]) -> list[Vector]:
            there = [cell for place in places for cell in load(place)]
            return [total + cell for total, cell in zip(state, there, strict=True)]

        # A loop of one turn or none: a branch whose state is in registers.
        bounds = Bounds.of(self.code, self.f)
        cells = [bounds.clamp(total) for total in self.code.loop(0, self.f.onto, 1, sums, add)]
        return [cells[i : i + self.vectors] for i in range(0, len(cells), self.vectors)]

    def sums(self, panel: "_Panel", pixel: Int) -> list[Vector]:
        """The bias and all products, pixel by pixel."""
        f = self.f
        rows = [self.pixels.read(pixel + i, panel.x) for i in range(self.pixels.spare)]
        bias = self.load(panel.bias)
        places = panel.weights, panel.size, panel.following
        tile = RegisterTile.begin(self.code, rows, *places, pixel, bias)
        return tile.add_listed(f.offsets, f.runs, self.run)

    def load(self, place: Value) -> list[Vector]:
        """One row of a panel."""
        return [self.code.load(place, j * self.code.lanes) for j in range(self.vectors)]

    def store(self, row: list[Vector], place: Value) -> None:
        """Write one row of a panel."""
        for j, vector in enumerate(row):
            self.code.store(vector, place, j * self.code.lanes)
