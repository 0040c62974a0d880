"""What differs between runs of rows that otherwise compute the same: a block's parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cnndsl.frontend.written import WrittenRow
from cnndsl.ops.kinds import parse_count

_MOST, _MOST_WORDS = 6, 3
"""Parameters of a block, and those of them that are no numbers of maps: more hide what it is."""

Values = tuple[str, ...]
"""A cell's text in each of the runs."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """
    The parameters of a block, and what its rows and its uses say of them.

    `defaults` has their names, those without a default first; `cells` and `claims` are those of the
    block's rows, with `$maps` where runs differ; `arguments` what each run is given.
    """

    defaults: dict[str, str | None]
    cells: tuple[dict[str, str], ...]
    claims: tuple[dict[str, str], ...]
    arguments: tuple[dict[str, str], ...]


def find_parameters(runs: Sequence[tuple[WrittenRow, ...]]) -> Parameters | None:
    """The parameters of runs of the same kinds of rows, or None where there are too many."""
    columns = list(zip(*runs, strict=True))
    cells = [{key: _across(key, rows) for key in rows[0].cells} for rows in columns]
    counts = {v for row in cells for key, v in row.items() if _is_count(key) and _differ(v)}
    bases = _bases(counts)
    names: dict[Values, str] = {}
    for row in cells:
        for key, values in row.items():
            base = bases[values][0] if _is_count(key) and values in bases else values
            if _differ(values) and base not in names:
                names[base] = _name(key, names.values())
    words = [name for values, name in names.items() if values not in bases]
    if len(names) > _MOST or len(words) > _MOST_WORDS:
        return None
    texts = {values: f"${name}" for values, name in names.items()}
    for values, (base, factor) in bases.items():
        texts[values] = f"${names[base]}" + (f"*{factor}" if factor > 1 else "")
    defaults = {name: _default(name, values) for values, name in names.items()}
    order = sorted(names, key=lambda values: defaults[names[values]] is not None)
    return Parameters(
        {names[values]: defaults[names[values]] for values in order},
        tuple({key: _text(v, texts) or v[0] for key, v in row.items()} for row in cells),
        tuple({"maps": _text(_claimed(rows), texts) or "?"} for rows in columns),
        tuple({names[values]: values[i] for values in order} for i in range(len(runs))),
    )


def _across(key: str, rows: Iterable[WrittenRow]) -> Values:
    return tuple(row.cells[key] for row in rows)


def _claimed(rows: Iterable[WrittenRow]) -> Values:
    return tuple(row.claims["maps"] for row in rows)


def _is_count(key: str) -> bool:
    """Whether a cell, of an operator or of a block, is a number of maps."""
    return key.startswith("maps")


def _differ(values: Values) -> bool:
    return len(set(values)) > 1


def _bases(counts: Iterable[Values]) -> dict[Values, tuple[Values, int]]:
    """Each of the numbers as another times a whole number, or as itself times one."""
    found: dict[Values, tuple[Values, int]] = {}
    for values in sorted(counts, key=_numbers):
        for base, (own, factor) in list(found.items()):
            ratios = {a / b for a, b in zip(_numbers(values), _numbers(base), strict=True)}
            (ratio, *others) = ratios
            if factor == 1 and not others and ratio == int(ratio):
                found[values] = (own, int(ratio))
                break
        else:
            found[values] = (values, 1)
    return found


def _numbers(values: Values) -> list[int]:
    return [parse_count(value) or 0 for value in values]


def _text(values: Values, texts: dict[Values, str]) -> str | None:
    """What stands in the block for a cell, or None where no parameter says it."""
    return texts.get(values) if _differ(values) else values[0]


def _name(key: str, taken: Iterable[str]) -> str:
    names, number = set(taken), 2
    if key not in names:
        return key
    while f"{key}{number}" in names:
        number += 1
    return f"{key}{number}"


def _default(name: str, values: Values) -> str | None:
    """The word that most uses give, where it is no number of maps and several do."""
    ((word, count),) = Counter(values).most_common(1)
    return word if not _is_count(name) and count > 1 else None
