"""The operations of `Code` as plain Python, for the simulator. Their meaning says `code.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, wraps
from threading import current_thread, local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.kernels.device_code import barrier
from cnndsl.backends.cuda.rounding import factors, rounded_words
from cnndsl.backends.cuda.shapes.tensor_core import (
    COLUMNS,
    LANES,
    MATRIX_ROWS,
    QUAD,
    ROWS,
    Format,
    Instruction,
)

MOST_THREADS = 1024  # of a block

_Copies = list[Callable[[], None]]
_Places = tuple[NDArray[np.int64], ...]


def plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    """`emits` for the simulator."""

    @wraps(function)
    def call(*operands: Any) -> tuple[Any, ...]:
        return tuple(function(_PLAIN, *operands) or ())

    return call


class _Promised(local):
    """A thread's copies that have not arrived yet: closed groups, and the open one."""

    def __init__(self) -> None:
        self.groups: list[_Copies] = []
        self.open: _Copies = []


@dataclass(frozen=True, slots=True)
class Plain:
    """
    The operations. Copies arrive as late as they may, so that a missing wait shows.

    The lanes of a warp show each other their words on the `board`; for that, all threads of a block
    must call the same operation. The simulator runs one block at a time.
    """

    promised: _Promised = field(default_factory=_Promised)
    board: list[Any] = field(default_factory=lambda: [None] * MOST_THREADS)

    def zero(self) -> Any:
        return np.float32(0)

    def check_aligned(self, memory: Any, place: int, width: int) -> None:
        """Vectors lie at multiples of their width."""
        assert place % width == 0, "a vector must be aligned"

    def load(self, memory: Any, start: int, offset: int, width: int) -> list[Any]:
        self.check_aligned(memory, start + offset, width)
        return [memory[start + offset + i] for i in range(width)]

    def matrices(self, memory: Any, start: int, offset: int, count: int) -> list[Any]:
        self.check_aligned(memory, start + offset, QUAD)
        lane, places = self._lanes([start + offset])
        row, along = divmod(lane, QUAD)
        return [memory[places[MATRIX_ROWS * i + row][0] + along] for i in range(count)]

    def load_if(self, memory: Any, start: int, width: int, valid: bool) -> list[Any]:
        return self.load(memory, start, 0, width) if valid else [self.zero()] * width

    def store(self, numbers: Sequence[Any], memory: Any, start: int, offset: int) -> None:
        self.check_aligned(memory, start + offset, len(numbers))
        for i, number in enumerate(numbers):
            memory[start + offset + i] = number

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return a * b + c

    def plus(self, a: int, b: int) -> int:
        return a + b

    def times(self, a: int, b: int) -> int:
        return a * b

    def less(self, a: int, b: int) -> bool:
        return a < b

    def least(self, a: int, b: int) -> int:
        return min(a, b)

    def within(self, a: int, count: int) -> bool:
        return 0 <= a < count

    def choice(self, number: int, choices: Sequence[list[Any]]) -> list[Any]:
        return choices[number]

    def when(self, truth: bool, action: Callable[[], None]) -> None:
        if truth:
            action()

    def case(self, number: int, cases: Sequence[Callable[[], None]]) -> None:
        cases[number]()

    def copy(self, width: int, shared: Any, at: int, source: Any, start: int, valid: bool) -> None:
        def arrive() -> None:
            self.store(self.load_if(source, start, width, valid), shared, at, 0)

        self.promised.open.append(arrive)

    def commit(self) -> None:
        self.promised.groups.append(self.promised.open)
        self.promised.open = []

    def wait(self, groups: int) -> None:
        while len(self.promised.groups) > groups:
            for arrive in self.promised.groups.pop(0):
                arrive()

    def bits(self, number: Any) -> Any:
        return np.float32(number).view(np.uint32)

    def rounded(self, form: Format, low: Any, high: Any) -> Any:
        return rounded_words(form, np.array([low]), np.array([high]))[0]

    def unpacked(self, form: Format, word: Any) -> list[Any]:
        return list(factors(form, np.array([word], np.uint32))[0])

    def mma(
        self,
        instruction: Instruction,
        left: Sequence[Any],
        right: Sequence[Any],
        sums: Sequence[Any],
    ) -> list[Any]:
        lane, words = self._lanes([*left, *right])
        numbers = factors(instruction.format, np.array(words, np.uint32)).astype(float)
        a, b = (numbers[places] for places in _places(instruction))
        product = a @ b
        cells = [instruction.sum_cell(lane, i) for i in range(len(sums))]
        return [np.float32(total + product[cell]) for total, cell in zip(sums, cells, strict=True)]

    def warp_sum(self, number: Any) -> Any:
        numbers = np.array(self._lanes([number])[1], np.float32)[:, 0]
        for distance in (16, 8, 4, 2, 1):
            numbers = numbers + numbers[np.arange(LANES) ^ distance]
        return numbers[0]

    def _lanes(self, words: list[Any]) -> tuple[int, list[list[Any]]]:
        """This lane's number, and the words of each lane of its warp."""
        thread: int = vars(current_thread())["threadIdx"].x
        lane = thread % LANES
        self.board[thread] = words
        barrier()
        together = self.board[thread - lane : thread - lane + LANES]
        barrier()
        return lane, together


_PLAIN = Plain()


@cache
def _places(instruction: Instruction) -> tuple[_Places, _Places]:
    """Lane, word and half of each cell of the two factors."""
    left = np.zeros((3, ROWS, instruction.depth), int)
    right = np.zeros((3, instruction.depth, COLUMNS), int)
    for lane in range(LANES):
        for half in range(instruction.factors):
            for word in range(instruction.left_words):
                left[:, *instruction.left_cell(lane, word, half)] = lane, word, half
            for word in range(instruction.right_words):
                # The words of the right factor are behind those of the left one.
                place = lane, instruction.left_words + word, half
                right[:, *instruction.right_cell(lane, word, half)] = place
    return tuple(left), tuple(right)
