"""Cells added around an image: how a table writes them, `same`, `valid`, `2` or `0+1x0+1`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cnndsl.ops.kinds import Kind, Pair, parse_count

_PAD_ROWS: Mapping[str, str] = {
    "zeros": "zeros",
    "constant": "constant",
    "reflect": "reflect",
    "mirror": "reflect",
    "edge": "edge",
    "replicate": "edge",
}
"""What other tools' words for the cells around an image are as the mode of a pad row."""

Sides = tuple[Pair, Pair]
"""((top, bottom), (left, right))"""


@dataclass(frozen=True, slots=True)
class Padding:
    """
    Cells added around an image.

    `valid` adds none. `same` makes the output `ceil(in / stride)` large, with
    `total = max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - in)` cells an axis, the odd
    one at the end in `same_upper` (TensorFlow, Keras, ONNX SAME_UPPER, PyTorch) and at the
    beginning in `same_lower` (ONNX SAME_LOWER). Plain `same` is for totals that are even, where the
    two agree. `explicit` adds `sides`.
    """

    mode: Literal["valid", "same", "same_upper", "same_lower", "explicit"]
    sides: Sides = ((0, 0), (0, 0))


class PaddingKind(Kind):
    """
    `valid`, `same`, `same_upper`, `same_lower`, or cells: `2`, `2x1`, `0+1x0+1`.

    >>> PaddingKind().parse("0+1x2").sides
    ((0, 1), (2, 2))
    >>> PaddingKind().format(PaddingKind().parse("1x1"))
    '1'
    """

    @property
    def expects(self) -> str:
        return "valid, same, same_upper, same_lower, or cells such as 2, 2x1 or 0+1x0+1 (begin+end)"

    def parse(self, text: str) -> Padding:
        word = text.lower()
        if word in ("valid", "same", "same_upper", "same_lower"):
            return Padding(word)
        axes = [self._axis(part) for part in re.split("[xX×]", text)]
        if len(axes) == 1:
            axes = axes * 2
        if len(axes) != 2 or axes[0] is None or axes[1] is None:
            raise self.refuse(text)
        return Padding("explicit", (axes[0], axes[1]))

    def format(self, value: Padding) -> str:
        if value.mode != "explicit":
            return value.mode
        height, width = (f"{b}" if b == e else f"{b}+{e}" for b, e in value.sides)
        return height if height == width else f"{height}x{width}"

    def choices(self) -> Sequence[str]:
        return ("valid", "same", "same_upper", "same_lower")

    def meant(self, text: str) -> Sequence[str]:
        return ["valid"] if text.lower() in ("none", "no") else ()

    def advice(self, text: str) -> str:
        mode = _PAD_ROWS.get(text.lower())
        if mode:
            return f"write valid, and a pad row before this one with mode={mode}"
        if text.lower() in ("circular", "wrap"):
            return "write valid: what wraps around is slice rows and a concat row before this one"
        return super().advice(text)

    @staticmethod
    def _axis(text: str) -> Pair | None:
        counts = [parse_count(part) for part in text.split("+")]
        if len(counts) not in (1, 2) or any(c is None or c > 10**6 for c in counts):
            return None
        return counts[0] or 0, counts[-1] or 0


def padding_words(padding: Padding) -> str:
    """
    A padding in a sentence about a window.

    >>> padding_words(Padding("same")), padding_words(Padding("explicit", ((1, 1), (1, 1))))
    ('same', 'padding 1')
    """
    text = PaddingKind().format(padding)
    return f"padding {text}" if padding.mode == "explicit" else text
