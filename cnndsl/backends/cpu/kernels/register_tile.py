"""The inner loop of convolution: pixels times output maps in registers, one input float a turn."""

from dataclasses import dataclass
from typing import Any

from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.vectors import Code, Vector

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
        length: Int,
        pixel: Int,
        start: list[Vector],
    ) -> "RegisterTile":
        """
        A tile whose sums begin with `start` for every pixel, on a panel of `length` rows.

        The first `PARTS` tiles of a panel, told by their `pixel`, ask for the next panel, which
        lies behind it: else each panel's first tile would wait for memory.
        """
        width = len(start) * code.lanes
        whole = length * width
        each = whole // (PARTS * len(rows))
        next_part = (whole + pixel * each).where(pixel.is_("<", PARTS * len(rows)), 0)
        return RegisterTile(code, rows, panel, code.at(panel, next_part), start * len(rows))

    def add(self, offset: Int, length: Int) -> "RegisterTile":
        """The tile after `length` inputs of each pixel, from `offset` on."""
        code = self.code

        def turn(k: Value, state: list[Any]) -> list[Any]:
            weights, ahead, *sums = state
            row = [code.load(weights, j * code.lanes) for j in range(self.vectors)]
            code.prefetch(ahead)
            after: list[Any] = [code.at(weights, self.width), code.at(ahead, self.width // PARTS)]
            for i, start in enumerate(self.rows):
                value = code.broadcast(start, k)
                mine = sums[i * self.vectors : (i + 1) * self.vectors]
                after += [value.fma(w, total) for w, total in zip(row, mine, strict=True)]
            return after

        return self.restored(code.loop(offset, offset + length, 1, self.state, turn))

    @property
    def state(self) -> list[Any]:
        """What changes from one turn of a loop to the next."""
        return [self.weights, self.ahead, *self.sums]

    def restored(self, state: list[Any]) -> "RegisterTile":
        """The tile in another state."""
        weights, ahead, *sums = state
        return RegisterTile(self.code, self.rows, weights, ahead, sums)
