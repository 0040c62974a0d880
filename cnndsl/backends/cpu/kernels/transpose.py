"""Turning a square of floats in registers."""

from collections.abc import Sequence

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.vectors import Vector

_BLOCK = 4  # lanes within which processors shuffle in one cycle


def transposed(code: Code, rows: Sequence[Vector]) -> list[Vector]:
    """
    As many vectors as lanes: vector i has lane i of each of `rows`, of which there are no more.

    What is in lanes beyond their number is undefined.
    """
    lanes, order = code.lanes, range(code.lanes)
    square = [*rows, *[code.undefined()] * (lanes - len(rows))]
    # Blocks of 4 x 4 are turned, then these are exchanged, as in Eklundh's algorithm.
    turned: list[Vector] = []
    for i in range(0, lanes, _BLOCK):
        turned += _blocks_turned(code, square[i : i + _BLOCK])
    distance = _BLOCK
    while distance < lanes:
        for i in (i for i in order if not i & distance):
            a, b = turned[i], turned[i + distance]
            low = [j if not j & distance else lanes + j - distance for j in order]
            high = [j + distance if not j & distance else lanes + j for j in order]
            turned[i], turned[i + distance] = code.pick(a, b, low), code.pick(a, b, high)
        distance *= 2
    return turned


def _blocks_turned(code: Code, rows: Sequence[Vector]) -> list[Vector]:
    """Four vectors in which the blocks of 4 x 4 are turned, each where it is."""
    lanes = code.lanes

    def interleaved(a: Vector, b: Vector, places: Sequence[int]) -> Vector:
        """Of each block, the lanes at `places`, those of b counted on from those of a."""
        of_a = [p % _BLOCK if p < _BLOCK else lanes + p % _BLOCK for p in places]
        return code.pick(a, b, [i + p for i in range(0, lanes, _BLOCK) for p in of_a])

    low, high, left, right = (0, 4, 1, 5), (2, 6, 3, 7), (0, 1, 4, 5), (2, 3, 6, 7)
    a, b, c, d = rows
    pairs = [(interleaved(a, b, half), interleaved(c, d, half)) for half in (low, high)]
    return [interleaved(*pair, half) for pair in pairs for half in (left, right)]
