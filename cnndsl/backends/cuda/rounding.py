"""float32 as the words that tensor cores multiply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.shapes.tensor_core import Format

_INFINITE, _QUIET = np.uint32(0x7F800000), np.uint32(0x00400000)


def rounded_words(
    form: Format, low: NDArray[np.float32], high: NDArray[np.float32]
) -> NDArray[np.uint32]:
    """
    Words of `low`, or of pairs where two share a word: `low` then is the lower half.

    float16 and bfloat16 round ties to even, as `cvt.rn` does, and tf32 away from zero, as `cvt.rna`
    does. Too large for float16 is infinite.

    >>> one = np.ones(1, np.float32)
    >>> [hex(rounded_words(form, one, -2 * one)[0]) for form in ("tf32", "float16", "bfloat16")]
    ['0x3f800000', '0xc0003c00', '0xc0003f80']
    """
    if form == "tf32":
        return _kept(low, np.uint32(0x1000), 13)
    if form == "bfloat16":
        return _bfloat16(low) >> np.uint32(16) | _bfloat16(high)
    with np.errstate(over="ignore"):
        halves = [a.astype(np.float16).view(np.uint16).astype(np.uint32) for a in (low, high)]
    return halves[0] | halves[1] << np.uint32(16)


def factors(form: Format, words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """
    The numbers in words, along one more axis at the end.

    >>> factors("float16", np.array([0xC0003C00], np.uint32)).tolist()
    [[1.0, -2.0]]
    """
    if form == "tf32":
        return words.view(np.float32)[..., None]
    halves = np.stack([words & np.uint32(0xFFFF), words >> np.uint32(16)], -1)
    if form == "float16":
        return halves.astype(np.uint16).view(np.float16).astype(np.float32)
    return (halves << np.uint32(16)).view(np.float32)


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """The bits of float32 numbers that bfloat16 holds."""
    odd = np.ascontiguousarray(values, np.float32).view(np.uint32) >> np.uint32(16) & np.uint32(1)
    return _kept(values, np.uint32(0x7FFF) + odd, 16)


def _kept(
    values: NDArray[np.float32], half: NDArray[np.uint32] | np.uint32, dropped: int
) -> NDArray[np.uint32]:
    """The bits without the last `dropped` of them, after `half` has been added to them."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    finite = bits & _INFINITE != _INFINITE
    quiet = np.where(np.isnan(values), bits | _QUIET, bits)
    sums = np.where(finite, bits + half, quiet).astype(np.uint32)
    return sums >> np.uint32(dropped) << np.uint32(dropped)
