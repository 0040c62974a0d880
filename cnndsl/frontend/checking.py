"""The rows of a table in order, each checked against what it reads and what it claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from cnndsl.errors import CnnError
from cnndsl.frontend.claims import believed, false_claims
from cnndsl.frontend.nodes import Operands, Outcome, make_outcome
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.limits import Limits
from cnndsl.types import TensorType

REFUSED = "refused"
"""Among the failures of a row: its operator does not take what it reads."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What is known of a row.

    `operands` are what it reads, None where that is unknown. `outcome` is None there too, and where
    the row could not be read, or where the operator refuses its operands with `error`. `failures`
    are the names of the row's false claims, and `REFUSED`. `believed` is what the rows below take
    its result to be.
    """

    operands: Operands | None
    outcome: Outcome | None
    error: CnnError | None
    failures: frozenset[str]
    believed: TensorType | None


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """
    All rows with their verdicts.

    `places` are the rows' by name (the first of a name), `readers` the places of the rows that read
    the row at a place.
    """

    rows: tuple[TypedRow, ...]
    verdicts: tuple[Verdict, ...]
    places: Mapping[str, int]
    readers: Mapping[int, Sequence[int]]
    limits: Limits

    def with_row(self, place: int, row: TypedRow) -> dict[int, Verdict]:
        """The verdicts that would be given anew if another row stood at that place."""
        anew: dict[int, Verdict] = {}
        due = [place]
        while due:
            i = heappop(due)
            if i in anew:
                continue
            current = row if i == place else self.rows[i]
            anew[i] = self._judge(current, anew)
            if anew[i].believed != self.verdicts[i].believed:
                for reader in self.readers.get(i, ()):
                    heappush(due, reader)
        return anew

    def _judge(self, row: TypedRow, anew: Mapping[int, Verdict]) -> Verdict:
        """A row's verdict, given those of the rows above it that are `anew`."""

        def believed_of(name: str) -> TensorType | None:
            place = self.places[name]
            return (anew[place] if place in anew else self.verdicts[place]).believed

        known = None
        if row.sources is not None:
            types = [(name, believed_of(name)) for name in row.sources]
            known = _known(types)
        return _judge(row, known, self.limits)


def check_rows(rows: Sequence[TypedRow], limits: Limits) -> CheckedTable:
    """Check every row, in order. A row whose `sources` are known reads only rows above it."""
    places: dict[str, int] = {}
    readers: dict[int, list[int]] = {}
    verdicts: list[Verdict] = []
    for i, row in enumerate(rows):
        known = None
        if row.sources is not None:
            sources = [places[name] for name in row.sources]
            for source in sources:
                readers.setdefault(source, []).append(i)
            known = _known([(rows[s].name, verdicts[s].believed) for s in sources])
        verdicts.append(_judge(row, known, limits))
        places.setdefault(row.name, i)
    return CheckedTable(tuple(rows), tuple(verdicts), places, readers, limits)


def _known(operands: list[tuple[str, TensorType | None]]) -> Operands | None:
    known = tuple((name, type_) for name, type_ in operands if type_ is not None)
    return known if len(known) == len(operands) else None


def _judge(row: TypedRow, operands: Operands | None, limits: Limits) -> Verdict:
    if row.op is None or operands is None:
        return Verdict(operands, None, None, frozenset(), believed(row, None))
    try:
        outcome = make_outcome(row, operands, limits)
    except CnnError as error:
        return Verdict(operands, None, error, frozenset({REFUSED}), believed(row, None))
    return Verdict(operands, outcome, None, false_claims(row, outcome), believed(row, outcome))
