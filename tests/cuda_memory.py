"""Memory of a simulated GPU that knows who reads and writes each cell, and says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

UNTOUCHED = np.float32(1.5e33)
"""What tests fill memory with that nobody has written."""


class Fault(AssertionError):
    """What a kernel did that a GPU does not forgive, or not always."""


class Moment(NamedTuple):
    """A thread of a block, after so many barriers."""

    block: tuple[int, int, int]
    barriers: int
    thread: int

    def meets(self, other: Moment) -> bool:
        """Whether nothing says which of the two comes first."""
        if self.block != other.block:
            return True
        return self.barriers == other.barriers and self.thread != other.thread


@dataclass
class Cells:
    """
    An allocation: its cells, which of them were written, and by whom since the launch began.

    `now` tells who runs. A copy that is on its way to a cell is `flying`.
    """

    name: str
    array: np.ndarray
    written: np.ndarray
    now: Clock
    writers: dict[int, Moment] = field(default_factory=dict)
    readers: dict[int, set[Moment]] = field(default_factory=dict)
    flying: dict[int, Moment] = field(default_factory=dict)

    @staticmethod
    def holding(name: str, array: np.ndarray, now: Clock) -> Cells:
        """What the host has written; what is no number, or `UNTOUCHED`, it has not."""
        return Cells(name, array, ~(np.isnan(array) | (array == UNTOUCHED)), now)

    def begin(self) -> None:
        """A launch begins: all before it is over."""
        self.writers.clear()
        self.readers.clear()

    def read(self, cell: int):
        moment = self._enter(cell, "reads")
        if not self.written[cell]:
            raise Fault(f"{moment} reads {self.name}[{cell}], which nobody has written")
        writer = self.writers.get(cell)
        if writer is not None and writer.meets(moment):
            raise Fault(f"{moment} reads {self.name}[{cell}], which {writer} writes")
        self.readers.setdefault(cell, set()).add(moment)
        return self.array[cell]

    def write(self, cell: int, value) -> None:
        moment = self._enter(cell, "writes")
        self._claim(cell, moment)
        self.written[cell] = True
        self.array[cell] = value

    def depart(self, cell: int) -> None:
        """A copy to a cell is promised: until it lands, the cell is nobody's."""
        moment = self._enter(cell, "copies to")
        self._claim(cell, moment)
        self.flying[cell] = moment

    def land(self, cell: int) -> None:
        """The copy is there: what follows is its write."""
        del self.flying[cell]

    def _enter(self, cell: int, verb: str) -> Moment:
        moment = self.now.moment
        if not 0 <= cell < len(self.array):
            raise Fault(f"{moment} {verb} {self.name}[{cell}] of {len(self.array)}")
        if cell in self.flying:
            raise Fault(
                f"{moment} {verb} {self.name}[{cell}] while the copy of {self.flying[cell]} is on "
                "its way"
            )
        return moment

    def _claim(self, cell: int, moment: Moment) -> None:
        for other in (self.writers.get(cell), *self.readers.get(cell, ())):
            if other is not None and other.meets(moment):
                raise Fault(f"{moment} writes {self.name}[{cell}], which {other} reads or writes")
        self.writers[cell] = moment


@dataclass
class Clock:
    """Who runs now."""

    moment: Moment = field(default_factory=lambda: Moment((0, 0, 0), 0, 0))


@dataclass(frozen=True)
class View:
    """A pointer, as kernels have it: cells from `start` on. Negative places are none."""

    cells: Cells
    start: int = 0

    def __getitem__(self, place: int):
        return self.cells.read(self._at(place))

    def __setitem__(self, place: int, value) -> None:
        self.cells.write(self._at(place), value)

    def aligned(self, place: int, width: int) -> int:
        """The cell of a vector of `width` neighbours. A GPU reads it at multiples of them only."""
        cell = self._at(place)
        if cell % width:
            name = self.cells.name
            raise Fault(f"{self.cells.now.moment} moves {width} neighbours at {name}[{cell}]")
        return cell

    def _at(self, place: int) -> int:
        if place < 0:
            raise Fault(f"{self.cells.now.moment} counts back to {self.cells.name}[{place}]")
        return self.start + int(place)
