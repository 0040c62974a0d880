"""
A cell too few or too many shifts all cells behind it into wrong columns.

Instead of a complaint about each of them, say which one is missing or too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnndsl.errors import Edit, Fix, ValueRefused
from cnndsl.frontend.columns import Slot, default_text
from cnndsl.frontend.row_types import Column
from cnndsl.frontend.syntax import INFER, NOT_APPLICABLE, RowLine, Word
from cnndsl.source import Span

_MOST_FIXES = 3


@dataclass(frozen=True, slots=True)
class Shift:
    """What is wrong, and the cells as they were probably meant: None where that is unsure."""

    code: str
    message: str
    span: Span
    column: str | None
    words: list[Word | None]
    fixes: list[Fix]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a column expects of a row: a value of `slot`, unless an option gives it already."""

    column: Column
    slot: Slot | None
    by_option: bool

    def takes(self, word: Word | None) -> bool:
        """Whether a cell can stand there. A missing cell can everywhere."""
        if word is None or self.column.name is None:
            return True
        slot = self.slot
        if slot is None:
            return word.is_dash
        if word.pending:
            return True
        if word.is_question:
            return slot.role == "claim"
        if word.is_dash:
            return self.by_option or not (slot.required or default_text(slot))
        try:
            slot.kind.parse(word.text)
        except ValueRefused:
            return False
        return True


def find_shift(line: RowLine, expected: Sequence[Expected]) -> Shift | None:
    """The one cell without which, or with one more of which, all cells fit their columns."""
    words = list(line.cells[1:])
    if not words or _fit(words, expected):
        return None
    if len(words) < len(expected):
        return _missing(words, expected)
    if len(words) == len(expected) + 1:
        return _extra(words, expected)
    return None


def _missing(words: list[Word], expected: Sequence[Expected]) -> Shift | None:
    places = [i for i in range(len(words)) if _fit([*words[:i], None, *words[i:]], expected)]
    if not places:
        return None
    # The later it is missing, the more cells stand where they should: the likeliest comes first.
    places.reverse()
    names = [expected[i].column.word.text for i in places]
    fixes: list[Fix] = []
    for i, name in zip(places, names, strict=True):
        text, at = _blank(expected[i].slot), words[i].span
        slot = expected[i].slot
        if text is not None:
            edit = Edit(Span(at.source, at.start, at.start), f"{text}  ")
            fixes.append(Fix(f"write {text} in column {name}", (edit,)))
        elif slot is not None:
            fixes.append(Fix(f"write {slot.kind.expects} in column {name}"))
    # What stands before the first place that is possible has its meaning in any case.
    unsure: list[Word | None] = [None] * (len(expected) - places[-1])
    return Shift(
        "E107",
        f"a cell seems to be missing, in column {' or '.join(names)}: with it the rest would fit",
        words[places[0]].span,
        names[0],
        [*words[: places[-1]], *unsure],
        fixes[:_MOST_FIXES],
    )


def _extra(words: list[Word], expected: Sequence[Expected]) -> Shift | None:
    for i, word in reversed(list(enumerate(words))):
        rest: list[Word | None] = [*words[:i], *words[i + 1 :]]
        if not _fit(rest, expected):
            continue
        end = words[i + 1].span.start if i + 1 < len(words) else word.span.end
        start = word.span.start if i + 1 < len(words) else words[i - 1].span.end
        fix = Fix("delete it", (Edit(Span(word.span.source, start, end), ""),))
        message = f"the cell {word.text!r} seems to be one too many: the others fit without it"
        return Shift("E112", message, word.span, None, rest, [fix])
    return None


def _fit(words: Sequence[Word | None], expected: Sequence[Expected]) -> bool:
    return len(words) <= len(expected) and all(
        column.takes(word) for word, column in zip(words, expected, strict=False)
    )


def _blank(slot: Slot | None) -> str | None:
    """What may stand in a cell that says nothing."""
    if slot is None or slot.role == "common":
        return NOT_APPLICABLE
    if slot.role == "claim":
        return INFER
    if slot.required:
        return None
    return default_text(slot) or NOT_APPLICABLE
