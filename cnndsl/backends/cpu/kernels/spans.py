"""Loops over a row of floats: whole vectors first, the rest masked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.control import Index
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.vectors import Mask, Vector


@dataclass(frozen=True, slots=True)
class Span:
    """
    A few neighbouring vectors of a row, from number `start` on.

    Where there is a `mask` there is one vector, and only its first `count` lanes are in the row.
    """

    code: Code
    start: Int
    vectors: int = 1
    mask: Mask | None = None
    count: Index = 0

    def load(self, row: Value, fill: float = 0.0) -> list[Vector]:
        """The vectors of the row at the pointer `row`; lanes beyond the row are `fill`."""
        if self.mask is not None:
            return [self.code.load_first(row, self.start, self.mask, fill)]
        place = self.code.at(row, self.start)
        return [self.code.load(place, k * self.code.lanes) for k in range(self.vectors)]

    def store(self, vectors: Sequence[Vector], row: Value) -> None:
        """Write the vectors to the row at the pointer `row`, and nothing beyond it."""
        if self.mask is not None:
            self.code.store_first(vectors[0], row, self.start, self.count)
            return
        place = self.code.at(row, self.start)
        for k, vector in enumerate(vectors):
            self.code.store(vector, place, k * self.code.lanes)


def over_row(
    code: Code, count: Index, body: Callable[[Span], None], widths: Sequence[int] = (1,)
) -> None:
    """
    Emit `body` for spans that cover a row of `count` floats.

    `widths` are the numbers of vectors that spans have, from large to small, the last of them 1.
    """

    def visit(span: Span, _state: list[Vector]) -> list[Vector]:
        body(span)
        return []

    start, _ = _whole_vectors(code, count, [], visit, widths)
    rest = code.integer(count) - start
    with code.builder.if_then(rest.is_(">", 0)):
        body(_rest(code, start, rest))


def fold_row(
    code: Code,
    count: Index,
    state: Sequence[Vector],
    body: Callable[[Span, list[Vector]], list[Vector]],
    widths: Sequence[int] = (1,),
) -> list[Vector]:
    """
    The state after `body` has seen spans that cover a row of `count` floats.

    The last span may have no lanes in the row at all: what `Span.load` fills them with must leave
    the state as it is.
    """
    start, state = _whole_vectors(code, count, state, body, widths)
    return body(_rest(code, start, code.integer(count) - start), state)


def _whole_vectors(
    code: Code,
    count: Index,
    state: Sequence[Vector],
    body: Callable[[Span, list[Vector]], list[Vector]],
    widths: Sequence[int],
) -> tuple[Int, list[Vector]]:
    """Where the vectors end that are wholly in the row, and the state there."""
    start, current = code.integer(0), list(state)
    for width in widths:
        step = width * code.lanes

        def turn(i: Value, state: list[Vector], width: int = width) -> list[Vector]:
            return body(Span(code, code.integer(i), width), state)

        stop = start + (code.integer(count) - start) // step * step
        current = code.loop(start, stop, step, current, turn)
        start = stop
    return start, current


def _rest(code: Code, start: Int, count: Int) -> Span:
    return Span(code, start, 1, code.first_lanes(count), count)
