"""The inner loop of convolution: pixels times output maps in registers, some inputs a turn."""

from dataclasses import dataclass
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.memory import constant
from cnndsl.backends.cpu.vectors import Vector

_WORD = 8  # bytes

LINE = 16  # floats of a line of the cache
PARTS = 4  # tiles that ask for a quarter each of the panel of weights that comes next


@dataclass(frozen=True, slots=True)
class RegisterTile:
    """
    The sums of some pixels of one panel of output maps, [pixels][vectors].

    `rows` point to the inputs of each pixel, `weights` to the panel's next row and `ahead` to
    weights that are wanted soon. The sums of a pixel are added up one input after another.
    """

    code: Code
    rows: list[Value]
    weights: Value
    ahead: Value
    sums: list[Vector]

    @property
    def vectors(self) -> int:
        """Vectors of output maps."""
        return len(self.sums) // len(self.rows)

    @property
    def width(self) -> int:
        """Output maps: floats of a row of the panel."""
        return self.vectors * self.code.lanes

    @staticmethod
    def begin(
        code: Code,
        rows: list[Value],
        panel: Value,
        size: Int,
        following: Int,
        pixel: Int,
        start: list[Vector],
    ) -> "RegisterTile":
        """
        A tile whose sums begin with `start` for every pixel, on a panel of `size` floats.

        The first `PARTS` tiles of a panel, told by their `pixel`, ask for the one that comes next,
        `following` floats behind it: else each panel's first tile would wait for memory. There has
        to be one: what is asked for on a page that is not there takes hundreds of cycles each time.
        """
        each = size // (PARTS * len(rows))
        next_part = (following + pixel * each).where(pixel.is_("<", PARTS * len(rows)), 0)
        return RegisterTile(code, rows, panel, code.at(panel, next_part), start * len(rows))

    def add_listed(self, offsets: Int, count: Int, run: int) -> list[Vector]:
        """
        The sums after inputs of each pixel that lie in runs of `run` floats.

        Where each of `count` runs begins, is in the table of int64 at `offsets`.
        """

        def turn(place: Value, state: list[Any]) -> list[Any]:
            return self._after(constant(self.code, place, 0), run, state)

        # Counted in addresses: a count beside them would be one register more than there are.
        return self.code.loop(offsets, offsets + count * _WORD, _WORD, self._state, turn)[2:]

    @property
    def _state(self) -> list[Any]:
        return [self.weights, self.ahead, *self.sums]

    def _after(self, first: Int, run: int, state: list[Any]) -> list[Any]:
        """The state after the inputs of each pixel from `first` on, `run` of them."""
        code, width = self.code, self.width
        weights, ahead, *sums = state
        asked = run * width // PARTS
        if self.vectors > 1:  # a panel of one vector has no next one
            for line in range(0, asked, LINE):
                code.prefetch(ahead, line)
        for k in range(run):
            row = [code.load(weights, k * width + j * code.lanes) for j in range(self.vectors)]
            for i, start in enumerate(self.rows):
                value = code.broadcast(code.at(start, first), k)
                for j, w in enumerate(row, i * self.vectors):
                    sums[j] = value.fma(w, sums[j])
        return [code.at(weights, run * width), code.at(ahead, asked), *sums]
