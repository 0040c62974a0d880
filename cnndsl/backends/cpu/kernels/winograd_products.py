"""The products of Winograd's algorithm, of inputs and weights that both are at the points."""

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.kernels.register_tile import LINE
from cnndsl.backends.cpu.lowering.conv_winograd import PAD
from cnndsl.backends.cpu.vectors import Vector

_FLOAT = 4  # bytes
_NEAR = 64  # floats ahead of those in use: some turns


class Panels(NamedTuple):
    """The panels of a unit: `number` of them, from the panel `first` on."""

    first: Int
    number: Int


@dataclass(frozen=True, slots=True)
class AtPoints:
    """
    Where a unit's inputs and products lie: [points, squares, maps], with PAD after each point.

    Of the products, maps are those of the unit, in panels of `width`. A square has the points
    `sides`, down and across.
    """

    code: Code
    f: Any
    sides: tuple[int, int]
    width: int
    inputs: Int
    products: Int

    @property
    def points(self) -> int:
        """Points of a square."""
        return prod(self.sides)

    def input_at(self, point: "Int | int", square: "Int | int") -> Value:
        """Where the inputs of a square at a point lie."""
        offset = (self.f.unit_squares * self.f.in_maps + PAD) * point + self.f.in_maps * square
        return self.code.at(self.code.pointer(self.inputs), offset)

    def product_at(self, point: "Int | int", square: "Int | int") -> Value:
        """Where the products of a square at a point lie."""
        row = self.f.unit_panels * self.width
        offset = (self.f.unit_squares * row + PAD) * point + row * square
        return self.code.at(self.code.pointer(self.products), offset)


class _Ahead(NamedTuple):
    """Weights that are asked for: lines at `places`, which go on by `step` floats an input map."""

    places: list[Value]
    step: Int
    lines: int


class _Share(NamedTuple):
    """
    What each tile asks for of the panel that comes next.

    Its part has `part` floats, of which it asks for `step` an input map.
    """

    part: Int
    step: Int


@dataclass(frozen=True, slots=True)
class Products:
    """
    The products of a unit, `at` each point, in tiles of `squares` times a panel of `vectors`.

    A turn of the inner loop takes `taken` input maps. The weights are [points, panels, vectors,
    in_maps, lanes].
    """

    at: AtPoints
    squares: int
    vectors: int
    taken: int

    def multiply(self, panels: Panels, count: Int) -> None:
        """
        Compute the products of `count` squares with the unit's panels.

        Squares beyond the last fill the last tile: what they hold is nobody's.
        """
        tiles = (count + self.squares - 1) // self.squares
        share = _Share(self._size // tiles, self.at.code.integer(self._width) // tiles)
        each = self.at.code.each
        with each(0, self.at.points) as point, each(0, panels.number) as place:
            self._multiply(point, panels, place, tiles, share)

    def _multiply(self, point: Int, panels: Panels, place: Int, tiles: Int, share: _Share) -> None:
        """
        Compute the products of `tiles` tiles of squares with one panel at a point.

        They become panel `place` of the unit. Of several tiles, each asks for its share of the
        panel that comes next; a tile alone is done too soon for that, and asks for what it reads
        itself a little later.
        """
        code, f = self.at.code, self.at.f
        weights = self._panel(point, panels.first + place)
        inputs = self.at.input_at(point, 0)
        products = code.at(self.at.product_at(point, 0), place * self._width)

        def tile(number: Value, state: list[Any]) -> list[Any]:
            inputs, products, next_part = state
            lines = self._lines(self._width // 2)
            self._tile(inputs, products, weights, _Ahead([next_part], share.step, lines))
            return [
                code.at(inputs, f.in_maps * self.squares),
                code.at(products, f.unit_panels * (self._width * self.squares)),
                code.at(next_part, share.part),
            ]

        with code.builder.if_else(tiles.is_("==", 1)) as (alone, several):
            with alone:
                near = [code.at(start, _NEAR) for start in self._streams(weights)]
                step, lines = code.integer(code.lanes), self._lines(code.lanes)
                self._tile(inputs, products, weights, _Ahead(near, step, lines))
            with several:
                next_panel = self._after(point, panels, place)
                code.loop(0, tiles, 1, [inputs, products, next_panel], tile)

    @property
    def _width(self) -> int:
        """Output maps of a tile."""
        return self.vectors * self.at.code.lanes

    @property
    def _size(self) -> Int:
        """Floats of a panel at a point."""
        return self.at.f.in_maps * self._width

    def _panel(self, point: Int, number: Int) -> Value:
        """The weights of a panel at a point."""
        f = self.at.f
        place = (point * f.panel_count + number) * (self._size * _FLOAT)
        return self.at.code.pointer(f.weights + place)

    def _after(self, point: Int, panels: Panels, place: Int) -> Value:
        """
        The panel that comes next: at the last point it is the first one, for the next unit.

        There has to be one: to ask for what lies on a page that is not there takes hundreds of
        cycles each time.
        """
        stays = (place + 1).is_("<", panels.number)
        following = (point + 1).where((point + 1).is_("<", self.at.points), 0)
        next_place = panels.first + (place + 1).where(stays, 0)
        return self._panel(point.where(stays, following), next_place)

    def _streams(self, weights: Value) -> list[Value]:
        """Where the weights of each vector of a panel begin: the memory system follows them all."""
        code, f = self.at.code, self.at.f
        return [
            code.at(weights, f.in_maps * (vector * code.lanes)) for vector in range(self.vectors)
        ]

    def _lines(self, floats: int) -> int:
        """Lines of the cache that a turn reads of a stream of so many floats an input map."""
        return max(1, floats * self.taken // LINE)

    def _tile(self, inputs: Value, products: Value, weights: Value, ahead: _Ahead) -> None:
        """Compute the products of a tile of squares, at `inputs`, with the panel at `weights`."""
        code, f = self.at.code, self.at.f
        rows = [code.at(inputs, f.in_maps * i) for i in range(self.squares)]
        sums = self._sums(rows, weights, ahead)
        for i in range(len(rows)):
            product = code.at(products, f.unit_panels * (self._width * i))
            for j in range(self.vectors):
                code.store(sums[i * self.vectors + j], product, j * code.lanes)

    def _sums(self, rows: list[Value], weights: Value, ahead: _Ahead) -> list[Vector]:
        """The sums of a tile, [squares][vectors], of inputs in `rows` times the rows of a panel."""
        code, taken, asked = self.at.code, self.taken, len(ahead.places)

        def turn(first: Value, state: list[Any]) -> list[Any]:
            weights, places, sums = state[0], state[1 : 1 + asked], state[1 + asked :]
            for place in places:
                for line in range(ahead.lines):
                    code.prefetch(place, line * LINE)
            starts = [code.at(row, first) for row in rows]
            for k in range(taken):
                row = [code.load(start, k * code.lanes) for start in self._streams(weights)]
                for i, start in enumerate(starts):
                    value = code.broadcast(start, k)
                    for j, w in enumerate(row, i * self.vectors):
                        sums[j] = value.fma(w, sums[j])
            places = [code.at(place, ahead.step * taken) for place in places]
            return [code.at(weights, code.lanes * taken), *places, *sums]

        zeros = [code.vector(0.0)] * (len(rows) * self.vectors)
        state = [weights, *ahead.places, *zeros]
        return code.loop(0, self.at.f.in_maps, taken, state, turn)[1 + asked :]
