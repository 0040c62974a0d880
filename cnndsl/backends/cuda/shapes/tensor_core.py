"""The instructions of the tensor cores: shapes, number formats, and which lane holds what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["tf32", "float16", "bfloat16"]
"""How the factors are rounded. Products are added up in float32 all the same."""

ROWS, COLUMNS, LANES = 16, 8, 32

MATRIX_ROWS, QUAD = 8, 4
"""What a warp loads at a time: rows of so many words, as `ldmatrix` of the PTX ISA has them."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """
    `mma.sync.m16n8k<depth>`: a warp adds the product of 16 x depth and depth x 8 factors to sums.

    Every lane holds some cells of the three matrices. `factors` of them share a 32-bit word, the
    one with the lower k in its lower half. The places of a lane's cells are those of the PTX ISA,
    "Matrix Fragments for mma.m16n8k8" and "... mma.m16n8k16 with floating point type".
    """

    format: Format
    depth: int

    @property
    def factors(self) -> int:
        """Factors in a word."""
        return 1 if self.format == "tf32" else 2

    @property
    def left_words(self) -> int:
        """Words of the left matrix that a lane holds."""
        return ROWS * self.depth // LANES // self.factors

    @property
    def right_words(self) -> int:
        """Words of the right matrix that a lane holds."""
        return COLUMNS * self.depth // LANES // self.factors

    def left_cell(self, lane: int, word: int, half: int) -> tuple[int, int]:
        """Row and k of a lane's cell of the left matrix."""
        group, member = divmod(lane, 4)
        return group + 8 * (word % 2), self.factors * (member + 4 * (word // 2)) + half

    def right_cell(self, lane: int, word: int, half: int) -> tuple[int, int]:
        """k and column of a lane's cell of the right matrix."""
        group, member = divmod(lane, 4)
        return self.factors * (member + 4 * word) + half, group

    @staticmethod
    def sum_cell(lane: int, number: int) -> tuple[int, int]:
        """Row and column of a lane's sum, of which it has four."""
        group, member = divmod(lane, 4)
        return group + 8 * (number // 2), 2 * member + number % 2


INSTRUCTIONS = {
    "tf32": Instruction("tf32", 8),
    "float16": Instruction("float16", 16),
    "bfloat16": Instruction("bfloat16", 16),
    "float16_short": Instruction("float16", 8),
}
"""By name. Compute capability 7.5 has `float16_short` alone; 8.0 and above have all of them."""
