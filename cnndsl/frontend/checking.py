"""The rows of a table in order, each checked against what it reads and what it claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import TypeAlias

from cnndsl.errors import CnnError
from cnndsl.frontend.claims import believed, false_claims
from cnndsl.frontend.nodes import Operands, Outcome, make_outcome, sum_outcome
from cnndsl.frontend.typed_row import Expansion, TypedRow
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
    are the names of the row's false claims, and `REFUSED`.

    `results` are what the rows below may take its result to be: what it claims, and, where that is
    something else, what was inferred. A row below fails only if it does so with either. So a
    mistake is reported where it is and not again in every row that follows from it, whether it is
    the network that is wrong or the claim.
    """

    operands: Operands | None
    outcome: Outcome | None
    error: CnnError | None
    failures: frozenset[str]
    results: tuple[TensorType, ...]


VerdictOf: TypeAlias = Callable[[str], Verdict]
"""The verdict on the row of that name."""


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """
    All rows with their verdicts.

    `places` are the rows' by name (the first of a name), `readers` the places of the rows that read
    the row at a place, `wholes` the place of the row that the row at a place is a part of.
    """

    rows: tuple[TypedRow, ...]
    verdicts: tuple[Verdict, ...]
    places: Mapping[str, int]
    readers: Mapping[int, Sequence[int]]
    wholes: Mapping[int, int]
    limits: Limits

    def alone(self, place: int, row: TypedRow) -> Verdict:
        """The verdict on a row that stood at that place, all others being as they are."""
        return _judge(row, lambda name: self.verdicts[self.places[name]], self.limits)

    def reading(self, place: int, operands: Operands) -> Verdict:
        """The verdict on the row at a place if that were what it reads."""
        return _try(self.rows[place], operands, self.limits)

    def with_rows(self, rows: Mapping[int, TypedRow]) -> dict[int, Verdict]:
        """The verdicts that would be given anew if other rows stood at their places."""
        anew: dict[int, Verdict] = {}

        def verdict_of(name: str) -> Verdict:
            source = self.places[name]
            return anew.get(source, self.verdicts[source])

        due = sorted(rows)
        while due:
            i = heappop(due)
            if i in anew:
                continue
            anew[i] = _judge(rows.get(i, self.rows[i]), verdict_of, self.limits)
            if i in self.wholes:
                heappush(due, self.wholes[i])
            if anew[i].results != self.verdicts[i].results:
                for reader in self.readers.get(i, ()):
                    heappush(due, reader)
        return anew


def check_rows(rows: Sequence[TypedRow], limits: Limits) -> CheckedTable:
    """Check every row, in order. A row whose `sources` are known reads only rows above it."""
    places: dict[str, int] = {}
    readers: dict[int, list[int]] = {}
    wholes: dict[int, int] = {}
    verdicts: list[Verdict] = []
    for i, row in enumerate(rows):
        for source in row.sources or ():
            readers.setdefault(places[source], []).append(i)
        if row.expansion is not None:
            readers.setdefault(places[row.expansion.result], []).append(i)
            wholes.update((places[part], i) for part in row.expansion.parts)
        verdicts.append(_judge(row, lambda name: verdicts[places[name]], limits))
        places.setdefault(row.name, i)
    return CheckedTable(tuple(rows), tuple(verdicts), places, readers, wholes, limits)


def _judge(row: TypedRow, verdict_of: VerdictOf, limits: Limits) -> Verdict:
    """The verdict on a row: with what its sources claim, or else with what was inferred of them."""
    if row.expansion is not None:
        return _judge_whole(row, row.expansion, verdict_of)
    if row.op is None or row.sources is None:
        return _unknown(row)
    sources = [(name, verdict_of(name).results) for name in row.sources]
    if not all(results for _, results in sources):
        return _unknown(row)
    claimed = _try(row, tuple((name, results[0]) for name, results in sources), limits)
    if all(len(results) == 1 for _, results in sources):
        return claimed
    inferred = _try(row, tuple((name, results[-1]) for name, results in sources), limits)
    return _likeliest([claimed, inferred])


def _judge_whole(row: TypedRow, expansion: Expansion, verdict_of: VerdictOf) -> Verdict:
    """The verdict on a row of the type of a block, by those on its parts."""
    assert row.sources is not None
    result = verdict_of(expansion.result)
    outcomes = [verdict_of(part).outcome for part in expansion.parts]
    known = [outcome for outcome in outcomes if outcome is not None]
    operand = verdict_of(row.sources[0]).results
    if not result.results or not operand or len(known) < len(outcomes):
        return Verdict(None, None, None, frozenset(), result.results)
    found: list[Verdict] = []
    for type_ in result.results:
        outcome = sum_outcome(known, operand[-1], type_)
        failures = false_claims(row, outcome)
        operands = ((row.sources[0], operand[-1]),)
        found.append(Verdict(operands, outcome, None, failures, _results(row, outcome)))
    return _likeliest(found)


def _likeliest(verdicts: Sequence[Verdict]) -> Verdict:
    """
    The first verdict with the fewest failures.

    Where the row's claims do not tell them apart, the results of others stay possible.
    """
    fewest = min(len(verdict.failures) for verdict in verdicts)
    likely = [verdict for verdict in verdicts if len(verdict.failures) == fewest]
    results = (result for verdict in likely for result in verdict.results)
    return replace(likely[0], results=tuple(dict.fromkeys(results)))


def _unknown(row: TypedRow) -> Verdict:
    return Verdict(None, None, None, frozenset(), _results(row, None))


def _try(row: TypedRow, operands: Operands, limits: Limits) -> Verdict:
    try:
        outcome = make_outcome(row, operands, limits)
    except CnnError as error:
        return Verdict(operands, None, error, frozenset({REFUSED}), _results(row, None))
    failures = false_claims(row, outcome)
    return Verdict(operands, outcome, None, failures, _results(row, outcome))


def _results(row: TypedRow, outcome: Outcome | None) -> tuple[TensorType, ...]:
    known = believed(row, outcome)
    if known is None:
        return ()
    if outcome is None or outcome.result == known:
        return (known,)
    return known, outcome.result
