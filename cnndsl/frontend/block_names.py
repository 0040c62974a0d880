"""What a block is called, its rows, and the rows of its type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cnndsl.frontend.written import WrittenRow

_BLOCKS = (
    ("depthwise", "Mobile"),
    ("add", "Residual"),
    ("concat", "Branches"),
    ("mul", "Gated"),
    ("conv", "Convs"),
)
"""Of the row types that a block has, the first that says what it is."""


@dataclass(frozen=True, slots=True)
class BlockNames:
    """Names for a block, its rows, and for each of its uses; `counted` where these say no more."""

    block: str
    rows: tuple[str, ...]
    uses: tuple[str, ...]
    counted: bool


def name_block(
    runs: Sequence[tuple[WrittenRow, ...]], blocks: Sequence[str], rows: Iterable[str]
) -> BlockNames:
    """
    Names for runs of rows as a block, beside other `blocks` and `rows`.

    Where the rows of each run are called alike behind a beginning of their own, such as
    `layer1_0_conv1`, the beginning is the use's name and the rest the row's. Else uses are counted.
    """
    kind = _kind(runs[0])
    block = _other(kind, {name.lower() for name in blocks})
    begins = [_beginning([row.name for row in run]) for run in runs]
    rests = {tuple(_rests(run, begin)) for run, begin in zip(runs, begins, strict=True)}
    free = {name.lower() for name in rows} - {row.name.lower() for run in runs for row in run}
    lower = [begin.lower() for begin in begins]
    if len(rests) == 1 and all(begins) and len(set(lower)) == len(lower) and not free & {*lower}:
        return BlockNames(block, _inner(runs[0], *rests), tuple(begins), counted=False)
    uses: list[str] = []
    for _ in runs:
        uses.append(_other(f"{kind.lower()}1", free | {name.lower() for name in uses}))
    return BlockNames(block, _inner(runs[0], ("",) * len(runs[0])), tuple(uses), counted=True)


def recount(names: Sequence[str], given: Iterable[str]) -> dict[str, str]:
    """
    New names for those that were not given: each kind counted from one on.

    >>> recount(["In", "mobile3", "pool1", "mobile1"], ["In", "pool1"])
    {'mobile3': 'mobile1', 'mobile1': 'mobile2'}
    """
    kept = {*given}
    taken = {name.lower() for name in names if name in kept}
    new: dict[str, str] = {}
    for name in names:
        if name not in kept:
            new[name] = _other(f"{name.rstrip('0123456789')}1", taken)
            taken.add(new[name].lower())
    return new


def _kind(run: Sequence[WrittenRow]) -> str:
    """What a run of rows is, in one word."""
    types = {row.row_type for row in run}
    return next((word for row_type, word in _BLOCKS if row_type in types), "Rows")


def _beginning(names: Sequence[str]) -> str:
    """The words that all names begin with, such as `layer1_0`."""
    parts = [name.split("_") for name in names]
    count = 0
    while all(len(words) > count and words[count] == parts[0][count] for words in parts):
        count += 1
    return "_".join(parts[0][:count])


def _rests(run: Sequence[WrittenRow], begin: str) -> list[str]:
    return [row.name[len(begin) :].lstrip("_") for row in run]


def _inner(run: Sequence[WrittenRow], rests: Sequence[str]) -> tuple[str, ...]:
    """Names for the rows of a block: what is left of theirs, or else their kind, counted."""
    kinds = [_short(row) for row in run]
    often = Counter(kinds)
    names: list[str] = []
    for kind, rest in zip(kinds, rests, strict=True):
        usable = rest[:1].isalpha() and rest.lower() not in {"in", *names}
        wish = rest.lower() if usable else kind if often[kind] == 1 else f"{kind}1"
        names.append(_other(wish, {"in", *names}))
    return tuple(names)


def _short(row: WrittenRow) -> str:
    """A row's name without its number."""
    word = row.name.rstrip("0123456789")
    return word.lower() if word.isalpha() else row.row_type.lower()


def _other(wish: str, taken: set[str]) -> str:
    """The name, or where it is taken, with the next number."""
    if wish.lower() not in taken:
        return wish
    stem = wish.rstrip("0123456789")
    number = int(wish[len(stem) :] or 1) + 1
    while f"{stem}{number}".lower() in taken:
        number += 1
    return f"{stem}{number}"
