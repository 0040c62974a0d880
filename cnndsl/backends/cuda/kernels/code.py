"""
What a kernel says about registers, and functions that say it.

Numba's own code leaves to the compiler what lives in registers, and an array of sums soon lives in
memory instead. A function under `emits` says it: its Python loops are unrolled, its lists are
registers, and what it returns is a tuple of float32 that Numba carries along.

    @emits(results=2)
    def squares(code, x, start):
        return [code.fma(value, value, code.zero()) for value in code.load(x, start, 0, 2)]

and a kernel calls `low, high = squares(x, 8)`. On a device this writes LLVM IR and PTX
(`emitted.py`); in the simulator the same function computes with numbers (`plain.py`). So the
simulator runs the very index arithmetic that the device runs, and only what each operation below
means is stated twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cnndsl.backends.cuda.kernels.device_code import SIMULATED
from cnndsl.backends.cuda.shapes.tensor_core import Format, Instruction

Number = Any
"""A float32: an ir.Value, or a NumPy number in the simulator."""
Word = Any
"""32 bits."""
Place = Any
"""An index into memory that is known only when the kernel runs; offsets are plain int."""
Memory = Any
"""float32 in memory: a pointer or an array."""
Truth = Any
"""A truth value."""


class Code(Protocol):
    """
    The operations. `width` is 1, 2 or 4 neighbours, and a place is a multiple of it.

    Copies from global to shared memory are promises: `commit` closes a group of them, and
    `wait(n)` waits until all groups but the last n have arrived. Other threads see what has arrived
    after the next `cuda.syncthreads()`. `matrices`, `mma` and `warp_sum` are for whole warps.
    """

    def zero(self) -> Number: ...

    def load(self, memory: Memory, start: Place, offset: int, width: int) -> list[Number]:
        """The floats at `start + offset`."""
        ...

    def matrices(self, memory: Memory, start: Place, offset: int, count: int) -> list[Number]:
        """
        A lane's words of `count` matrices, 1, 2 or 4, which a whole warp loads from shared memory.

        A matrix has 8 rows of 4 words. Lane 8i + r says where row r of matrix i starts, at a
        multiple of 4; lanes that are left repeat the places of the first. A lane gets word
        `lane % 4` of row `lane // 4` of each matrix.
        """
        ...

    def load_if(self, memory: Memory, start: Place, width: int, valid: Truth) -> list[Number]:
        """The floats at `start`, or zeros where it is not `valid`: then nothing there is read."""
        ...

    def store(self, numbers: Sequence[Number], memory: Memory, start: Place, offset: int) -> None:
        """Write neighbours to `start + offset`."""
        ...

    def fma(self, a: Number, b: Number, c: Number) -> Number:
        """`a * b + c`, rounded once on a device."""
        ...

    def plus(self, a: Place, b: Place | int) -> Place: ...

    def times(self, a: Place, b: Place) -> Place: ...

    def less(self, a: Place, b: Place) -> Truth: ...

    def least(self, a: Place, b: Place) -> Place: ...

    def within(self, a: Place, count: Place) -> Truth:
        """Whether a is 0 or more and less than `count`."""
        ...

    def choice(self, number: Place, choices: Sequence[list[Number]]) -> list[Number]:
        """`choices[number]`."""
        ...

    def when(self, truth: Truth, action: Callable[[], None]) -> None:
        """Do what `action` says if it is true."""
        ...

    def case(self, number: Place, cases: Sequence[Callable[[], None]]) -> None:
        """What `cases[number]` says; other numbers are for nobody."""
        ...

    def copy(
        self, width: int, shared: Memory, at: Place, source: Memory, start: Place, valid: Truth
    ) -> None:
        """Copy `width` floats, or zeros where they are not `valid`; width 1 or 4."""
        ...

    def commit(self) -> None:
        """Close a group of copies."""
        ...

    def wait(self, groups: int) -> None:
        """Wait until all groups but the last `groups` have arrived."""
        ...

    def bits(self, number: Number) -> Word:
        """A word that memory holds as a float."""
        ...

    def rounded(self, form: Format, low: Number, high: Number) -> Word:
        """The word of a factor, or of two where they share one; `high` has the greater k."""
        ...

    def unpacked(self, form: Format, word: Word) -> list[Number]:
        """The two factors that share a word."""
        ...

    def mma(
        self,
        instruction: Instruction,
        left: Sequence[Word],
        right: Sequence[Word],
        sums: Sequence[Number],
    ) -> list[Number]:
        """The lane's four sums, with the products of the whole warp's factors added."""
        ...

    def warp_sum(self, number: Number) -> Number:
        """The sum of the number over the lanes of a warp, the same bits in each of them."""
        ...


def emits(results: int = 0) -> Callable[[Callable[..., Any]], Any]:
    """
    Make a function that kernels can call of one that takes a `Code` first.

    Its other parameters are memories, integers, truth values and tuples of float32. It returns a
    list of as many numbers as `results` says, and the kernel gets a tuple; 0 says that it returns
    nothing.
    """
    if SIMULATED:
        from cnndsl.backends.cuda.kernels.plain import plainly

        return plainly
    from cnndsl.backends.cuda.kernels.emitted import emitted

    return emitted(results)
