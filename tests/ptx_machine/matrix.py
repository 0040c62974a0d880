"""
What the lanes of a warp compute together with tensor cores, and how they load matrices.

From the PTX ISA's sections "Warp-level Matrix Fragments" of `mma.m16n8k4`, `.m16n8k8`, `.m16n8k16`,
and "ldmatrix". A lane is of the group `lane >> 2` and in it number `lane % 4`:

    groupID           = %laneid >> 2
    threadID_in_group = %laneid % 4

The ISA lists row and column of each element of a fragment. Where a register holds `e` elements (two
halves, the first one in the lower bits, or one of 32 bits), all its lists for these shapes are:

- A, 16 x k, register r: row `group + 8 * (r % 2)`, column `e * member + half + 4 * e * (r // 2)`.
  For m16n8k16, for example, "row = groupID for ai where 0 <= i < 2 || 4 <= i < 6, else groupID + 8;
  col = threadID_in_group * 2 + (i & 0x1), + 8 where i >= 4".
- B, k x 8, register r: row `e * member + half + 4 * e * r`, column `group`.
- C and D, 16 x 8, element i: row `group`, + 8 from the third on, column `2 * member + (i & 1)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from cuda_memory import Fault
from numpy.typing import NDArray

LANES = 32
_LANE = np.arange(LANES)
_GROUP, _MEMBER = _LANE >> 2, _LANE % 4
ROWS, COLUMNS = 16, 8

Words = NDArray[np.uint32]
"""Registers of warps, `[warp, lane, register]`."""


def left_cells(registers: int, each: int) -> tuple[Any, Any]:
    """Rows and columns of A by lane, register and half."""
    lane, r, half = np.ix_(_LANE, np.arange(registers), np.arange(each))
    rows = (lane >> 2) + 8 * (r % 2) + 0 * half
    return rows, each * (lane % 4) + half + 4 * each * (r // 2)


def right_cells(registers: int, each: int) -> tuple[Any, Any]:
    """Rows and columns of B by lane, register and half."""
    lane, r, half = np.ix_(_LANE, np.arange(registers), np.arange(each))
    return each * (lane % 4) + half + 4 * each * r, (lane >> 2) + 0 * (r + half)


def sum_cells() -> tuple[Any, Any]:
    """Rows and columns of C and D by lane and element."""
    lane, i = np.ix_(_LANE, np.arange(4))
    return (lane >> 2) + 8 * (i >> 1), 2 * (lane % 4) + (i & 1)


def elements(words: Words, form: str) -> NDArray[np.float64]:
    """
    The numbers in registers, along one more axis.

    A tensor core reads no more than the upper 19 bits of a tf32, and what the others do is not
    defined: a number that `cvt` has not rounded is a `Fault`.
    """
    if form == "tf32":
        rest = words & np.uint32(0x1FFF)
        if (rest[np.isfinite(words.view(np.float32))] != 0).any():
            raise Fault("mma reads a tf32 that nobody has rounded")
        return words.view(np.float32).astype(np.float64)[..., None]
    halves = np.stack([words & np.uint32(0xFFFF), words >> np.uint32(16)], -1)
    if form == "bf16":
        return (halves << np.uint32(16)).view(np.float32).astype(np.float64)
    if form == "f16":
        return halves.astype(np.uint16).view(np.float16).astype(np.float64)
    raise Fault(f"this machine multiplies no {form}")


def multiplied(
    depth: int, form: str, a: Words, b: Words, c: NDArray[np.float32]
) -> NDArray[np.float32]:
    """
    `mma.sync.aligned.m16n8k<depth>.row.col.f32`: the registers of D, of A @ B + C.

    Sums are those of float64, rounded once: tensor cores round more often, in an order that NVIDIA
    does not tell.
    """
    each = 1 if form == "tf32" else 2
    warps = len(a)
    cells = a.shape[2] * each * 2, b.shape[2] * each * 4
    if cells != (depth, depth) or c.shape[2] != 4:
        raise Fault(f"mma.m16n8k{depth} of {form} has other fragments than {a.shape}, {b.shape}")
    left = np.full((warps, ROWS, depth), np.nan)
    right = np.full((warps, depth, COLUMNS), np.nan)
    sums = np.full((warps, ROWS, COLUMNS), np.nan)
    left[:, *left_cells(a.shape[2], each)] = elements(a, form)
    right[:, *right_cells(b.shape[2], each)] = elements(b, form)
    sums[:, *sum_cells()] = c
    return (left @ right + sums).astype(np.float32)[:, *sum_cells()]


def dealt(rows: Words, transposed: bool) -> Words:
    """
    `ldmatrix.m8n8.b16`: registers of matrices whose rows, of four words, are `[warp, matrix, row]`.

    Lane l has of each matrix the halves 2 * (l % 4) and the next one of row l / 4; if transposed,
    the same two of column l / 4.
    """
    if not transposed:
        return np.moveaxis(rows[:, :, _GROUP, _MEMBER], 1, 2)
    halves = np.stack([rows & np.uint32(0xFFFF), rows >> np.uint32(16)], -1)
    halves = halves.reshape(*rows.shape[:3], 8).swapaxes(2, 3)
    low, high = (halves[:, :, _GROUP, 2 * _MEMBER + i] for i in range(2))
    return np.moveaxis(low | high << np.uint32(16), 1, 2)
