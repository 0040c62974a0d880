"""Which tensors that no row expects are likely those that rows lack, under other names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import SequenceMatcher

Shape = tuple[int, ...]

_LEAST_LIKENESS = 0.5
# Pairs of names that are compared: what has more of them is another network's file.
_MOST_PAIRS = 10_000


def likely_names(
    lacking: Mapping[str, Shape], left_over: Mapping[str, Shape], rows: Collection[str]
) -> dict[str, str]:
    """
    For names that are lacking, under which one of those left over the tensor likely is.

    Two names are paired that have one shape and resemble each other more than they do any other.
    What is called after one of the `rows` is never another row's.

    >>> shapes = {"C2.weight": (8,), "C3.weight": (8,)}
    >>> likely_names(shapes, {"C3.wieght": (8,)}, ["C2", "C3"])
    {'C3.weight': 'C3.wieght'}
    >>> likely_names(shapes, {"X.weight": (8,)}, ["C2", "C3"])
    {}
    """
    if len(lacking) * len(left_over) > _MOST_PAIRS:
        return {}
    likeness = {
        (name, other): ratio
        for name, shape in lacking.items()
        for other, found in left_over.items()
        if found == shape
        and row_of(other) not in {*rows} - {row_of(name)}
        and (ratio := SequenceMatcher(None, name, other).ratio()) >= _LEAST_LIKENESS
    }
    ratios: dict[str, list[float]] = {}
    for pair, ratio in likeness.items():
        for name in pair:
            ratios.setdefault(name, []).append(ratio)
    best = {name: max(found) for name, found in ratios.items() if found.count(max(found)) == 1}
    return {
        name: other
        for (name, other), ratio in likeness.items()
        if best.get(name) == ratio == best.get(other)
    }


def row_of(name: str) -> str:
    """The row that a parameter belongs to by its name: `C1` of `C1.weight`."""
    return name.rpartition(".")[0]
