"""
What a lane computes by itself: the instructions without memory and without other lanes.

A function takes arrays of its operands, an element a lane, and gives one of results; numbers that
are the same in all lanes have no axis. Integers wrap around, as NumPy's do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

TYPES: dict[str, Any] = {
    "pred": np.bool_,
    **{f"{letter}{bits}": np.dtype(f"uint{bits}") for letter in "bu" for bits in (8, 16, 32, 64)},
    **{f"s{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"f{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
}
"""NumPy's types by PTX's."""

Modifiers = tuple[str, ...]
Function = Callable[..., Any]

_SMALLEST = np.float32(2.0**-126)


def flushed(x: Any) -> Any:
    """`.ftz`: what is too small for a normal number is zero with its sign."""
    return np.where(np.abs(x) < _SMALLEST, np.copysign(np.float32(0), x), x)


def rounded(exact: Any, modifiers: Modifiers) -> Any:
    """float32 of a float64: to the nearest, toward zero (`rz`), down (`rm`) or up (`rp`)."""
    near = exact.astype(np.float32)
    if "rn" in modifiers or not {"rz", "rm", "rp"} & set(modifiers):
        return near
    over = near > exact
    under = near < exact
    if "rz" in modifiers:
        over, under = over & (exact > 0), under & (exact < 0)
    down = np.nextafter(near, np.float32(-np.inf))
    up = np.nextafter(near, np.float32(np.inf))
    if "rm" in modifiers:
        return np.where(over, down, near)
    if "rp" in modifiers:
        return np.where(under, up, near)
    return np.where(over, down, np.where(under, up, near))


def _floats(exact: Function) -> Function:
    """A function of floats that rounds once, from float64, and flushes and saturates if told."""

    def compute(modifiers: Modifiers, *operands: Any) -> Any:
        if "ftz" in modifiers:
            operands = tuple(map(flushed, operands))
        y = rounded(exact(*(x.astype(np.float64) for x in operands)), modifiers)
        if "sat" in modifiers:
            y = saturated(y)
        return flushed(y) if "ftz" in modifiers else y

    return compute


def saturated(x: Any) -> Any:
    """`.sat`: within 0 and 1, and 0 for what is no number."""
    return np.where(np.isnan(x), np.float32(0), np.clip(x, np.float32(0), np.float32(1)))


def _by_kind(integers: Function, floats: Function) -> Function:
    """One of two functions, by the operands' type."""

    def compute(modifiers: Modifiers, *operands: Any) -> Any:
        if operands[0].dtype.kind == "f":
            return floats(modifiers, *operands)
        return integers(modifiers, *operands)

    return compute


def _plain(function: Function) -> Function:
    """A function without modifiers."""
    return lambda modifiers, *operands: function(*operands)


def _wide(x: Any) -> Any:
    return x.astype(np.dtype(f"{'int' if x.dtype.kind == 'i' else 'uint'}{16 * x.dtype.itemsize}"))


def _multiplied(modifiers: Modifiers, a: Any, b: Any) -> Any:
    if "wide" in modifiers:
        return _wide(a) * _wide(b)
    if "hi" in modifiers:
        return ((_wide(a) * _wide(b)) >> 8 * a.dtype.itemsize).astype(a.dtype)
    return a * b


def _multiplied_and_added(modifiers: Modifiers, a: Any, b: Any, c: Any) -> Any:
    product = _multiplied(modifiers, a, b)
    return product + c.view(product.dtype)


def _divided(a: Any, b: Any) -> Any:
    """Toward zero; what is divided by zero is anything."""
    b = np.where(b == 0, b.dtype.type(1), b)
    quotient = a // b
    return quotient + ((a % b != 0) & ((a < 0) != (b < 0))).astype(a.dtype)


def _remaining(a: Any, b: Any) -> Any:
    return a - _divided(a, b) * b


def _left(x: Any, count: Any) -> Any:
    bits = 8 * x.dtype.itemsize
    count = count.astype(x.dtype)
    return np.where(count < bits, x << np.minimum(count, x.dtype.type(bits - 1)), x.dtype.type(0))


def _right(x: Any, count: Any) -> Any:
    bits = 8 * x.dtype.itemsize
    gone = (x >> x.dtype.type(bits - 1)) if x.dtype.kind == "i" else x.dtype.type(0)
    small = np.minimum(count, np.uint32(bits - 1)).astype(x.dtype)
    return np.where(count < bits, x >> small, gone)


def _least(modifiers: Modifiers, a: Any, b: Any) -> Any:
    return np.minimum(a, b) if "NaN" in modifiers else np.fmin(a, b)


def _largest(modifiers: Modifiers, a: Any, b: Any) -> Any:
    return np.maximum(a, b) if "NaN" in modifiers else np.fmax(a, b)


def _fused(a: Any, b: Any, c: Any) -> Any:
    return a * b + c


COMPUTE: dict[str, Function] = {
    "add": _by_kind(_plain(np.add), _floats(np.add)),
    "sub": _by_kind(_plain(np.subtract), _floats(np.subtract)),
    "mul": _by_kind(_multiplied, _floats(np.multiply)),
    "mad": _by_kind(_multiplied_and_added, _floats(_fused)),
    "fma": _floats(_fused),
    "div": _by_kind(_plain(_divided), _floats(np.divide)),
    "rem": _plain(_remaining),
    "min": _least,
    "max": _largest,
    "neg": _plain(np.negative),
    "abs": _plain(np.abs),
    # The sign of the first operand on the second one.
    "copysign": _plain(lambda sign, x: np.copysign(x, sign)),
    "rcp": _floats(np.reciprocal),
    "sqrt": _floats(np.sqrt),
    "rsqrt": _floats(lambda x: 1 / np.sqrt(x)),
    "ex2": _floats(np.exp2),
    "lg2": _floats(np.log2),
    "sin": _floats(np.sin),
    "cos": _floats(np.cos),
    "tanh": _floats(np.tanh),
    "and": _plain(np.bitwise_and),
    "or": _plain(np.bitwise_or),
    "xor": _plain(np.bitwise_xor),
    "not": _plain(np.bitwise_not),
    "mov": _plain(lambda x: x),
}
"""By the first word of an instruction; the operands have the type of its last word."""

SHIFTS: dict[str, Function] = {"shl": _left, "shr": _right}
"""Of a number by a count of 32 bits; more than all bits are all."""

COMPARE: dict[str, Function] = {
    "eq": np.equal,
    "ne": lambda a, b: (a < b) | (a > b),
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
    # True where an operand is no number.
    "equ": lambda a, b: ~((a < b) | (a > b)),
    "neu": np.not_equal,
    "ltu": lambda a, b: ~(a >= b),
    "leu": lambda a, b: ~(a > b),
    "gtu": lambda a, b: ~(a <= b),
    "geu": lambda a, b: ~(a < b),
    "num": lambda a, b: ~(np.isnan(a) | np.isnan(b)),
    "nan": lambda a, b: np.isnan(a) | np.isnan(b),
}
"""The relations of `setp`."""

_TO_INTEGERS: dict[str, Function] = {
    "rni": np.rint,
    "rzi": np.trunc,
    "rmi": np.floor,
    "rpi": np.ceil,
}


def converted(modifiers: Modifiers, to: str, x: Any) -> Any:
    """`cvt` of one operand."""
    target = TYPES[to]
    toward = next((_TO_INTEGERS[word] for word in modifiers if word in _TO_INTEGERS), None)
    if x.dtype.kind == "f":
        if "ftz" in modifiers:
            x = flushed(x)
        if target.kind in "iu":
            # What does not fit is the nearest that does, and what is no number is zero.
            limits = np.iinfo(target)
            whole = toward(x.astype(np.float64))
            inside = np.nan_to_num(np.clip(whole, float(limits.min), float(limits.max)), nan=0.0)
            at_end = whole >= float(limits.max)
            kept = np.where(at_end, 0.0, inside).astype(target)
            return np.where(at_end, target.type(limits.max), kept)
        y = toward(x) if toward else x
        y = y.astype(target)
        return saturated(y) if "sat" in modifiers else y
    if target.kind == "f":
        return x.astype(np.float64).astype(target)
    return x.astype(target)


def tf32(x: Any) -> Any:
    """`cvt.rna.tf32.f32`: ten bits behind the point, halves away from zero, the other bits zero."""
    bits = x.view(np.uint32)
    finite = np.isfinite(x)
    return np.where(finite, (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000), bits)


def bfloat16(x: Any) -> Any:
    """`cvt.rn.bf16.f32`: the upper half of the bits, halves to even."""
    bits = x.view(np.uint32)
    up = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint32(0x7FFF), up)
