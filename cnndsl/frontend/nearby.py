"""
Values near a given one, the nearest first, each with how far it is.

How far is a share of the number that changes: 227 for 224 is 3/227, a stride of 2 for 1 is 1/2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from cnndsl.errors import CnnError
from cnndsl.ops.attributes import Attribute
from cnndsl.ops.base import Op
from cnndsl.ops.kinds import Choice, Count, Extent, Flag, Pair
from cnndsl.ops.padding import Padding, PaddingKind, Sides
from cnndsl.ops.window import Window
from cnndsl.types import TensorType

Near = tuple[float, Any]
"""How far, and the value."""

# A word for another word is no share of a number: a little more than the usual slip of one.
_WORD = 0.05
_SIZES, _STEPS, _PADDING = 64, 12, 12
# Sides of windows, and strides, that are looked for however far they are.
_USUAL = range(1, 16)


def nearby(attribute: Attribute, op: Op, operand: TensorType | None, aim: float) -> list[Near]:
    """
    Other values that an attribute of `op` could have.

    `operand` is what the operator reads. `aim` is how much larger what is claimed is than what is
    true: a count is looked for there too, however far that is.
    """
    value = getattr(op, attribute.name)
    kind = attribute.kind
    found: Iterable[Near] = ()
    if isinstance(kind, PaddingKind):
        window = getattr(op, "window", None)
        if isinstance(window, Window) and operand is not None and operand.is_image:
            found = _paddings(window, operand.height_width)
    elif isinstance(kind, Extent) and value is not None:
        found = _pairs(value, _SIZES) if op.operands == 0 else _windows(value)
    elif isinstance(kind, Count) and value is not None:
        found = _counts(value, aim)
    elif isinstance(kind, Flag):
        found = [(_WORD, not value)]
    elif isinstance(kind, Choice) and value is not None:
        found = [(_WORD, word) for word in kind.words if word != value]
    return sorted(found, key=lambda near: near[0])


def distance(old: float, new: float) -> float:
    """
    The share of a number that changes.

    >>> distance(4, 5), distance(5, 4), distance(0, 0)
    (0.2, 0.2, 0.0)
    """
    return abs(new - old) / max(abs(old), abs(new), 1)


def _pairs(value: Pair, most: int) -> Iterator[Near]:
    height, width = value
    for step in range(-most, most + 1):
        if step == 0:
            continue
        for pair in ((height + step, width + step), (height + step, width), (height, width + step)):
            if min(pair) >= 1:
                far = max(distance(height, pair[0]), distance(width, pair[1]))
                # Of square things it is an edit of one number, and square they should stay.
                stretched = height == width and pair[0] != pair[1]
                yield far + stretched, pair


def _windows(value: Pair) -> Iterator[Near]:
    near = {pair: far for far, pair in _pairs(value, _STEPS)}
    usual = {(side, side): max(distance(old, side) for old in value) for side in _USUAL}
    for pair, far in {**usual, **near}.items():
        if pair != value:
            yield far, pair


def _counts(value: int, aim: float) -> Iterator[Near]:
    near = {value + step for step in range(-_STEPS, _STEPS + 1)}
    near |= {value * factor for factor in (2, 4, 8)} | {value // factor for factor in (2, 4, 8)}
    if 0 < aim < 10**6:
        near |= {round(value * aim) + step for step in (-1, 0, 1)}
    for count in sorted(near - {value}):
        if count >= 1:
            yield distance(value, count), count


def _paddings(window: Window, image: Pair) -> Iterator[Near]:
    old = _sides(window, image)
    modes = [Padding("valid"), Padding("same"), Padding("same_upper"), Padding("same_lower")]
    sides: list[Sides] = [((p, p), (p, p)) for p in range(1, _PADDING + 1)]
    sides += [((p, p), (q, q)) for p in range(4) for q in range(4) if p != q]
    sides += [((b, e), (b, e)) for b in range(4) for e in range(4) if b != e]
    # Windows that lie in the padding alone are never meant.
    most = min(window.reach) - 1
    sides = [side for side in sides if max(_flat(side)) <= most]
    for i, padding in enumerate([*modes, *(Padding("explicit", s) for s in sides)]):
        new = _sides(replace(window, padding=padding), image)
        if new is None or new == old:
            continue
        cells = sum(abs(a - b) for a, b in zip(_flat(new), _flat(old), strict=True))
        # Lopsided padding is seldom meant. Of two that do the same, the one named first is plainer.
        lopsided = padding.mode == "explicit" and len(set(_flat(new))) > 1
        yield cells / sum(image) + lopsided + i * 1e-6, padding


def _sides(window: Window, image: Pair) -> Sides | None:
    try:
        return window.sides(image)
    except CnnError:
        return None


def _flat(sides: Sides | None) -> tuple[int, ...]:
    return (0, 0, 0, 0) if sides is None else (*sides[0], *sides[1])
