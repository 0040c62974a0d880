"""The smallest single edits that mend a row, each verified before it is offered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.checking import CheckedTable, Verdict
from cnndsl.frontend.claims import actual, claim_text
from cnndsl.frontend.columns import Names
from cnndsl.frontend.edits import set_value
from cnndsl.frontend.nearby import distance, nearby
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.ops.attributes import Attribute, attributes_of
from cnndsl.ops.kinds import Pair
from cnndsl.source import Span

MOST_FIXES = 4
"""How many are told: more are no help."""
# How many verdicts a search may ask for, for one row and for one text: each takes some
# 50 microseconds.
_BUDGET_ROW, _BUDGET_TEXT = 3_000, 30_000
_ROWS_TO_READ = 20
# What reading another row is as a share of a number: more than any small change of one.
_OTHER_ROW = 0.4


@dataclass(frozen=True, slots=True)
class _Candidate:
    """
    Rows in place of others, the edit that makes them, and how far it is from what stands.

    `place` is the row that was looked at, `rows` all that the edit changes: a row of a block
    changes wherever the block is used.
    """

    place: int
    rows: dict[int, TypedRow]
    message: str
    edit: Edit
    far: float


class FixSearch:
    """
    Searches one table for edits.

    What may change is the row itself, what it reads, the network's input, and the claim. An edit is
    offered if the table, checked with it, has what was false true, and nothing false that was not.
    The claim's is offered also if rows below then want others, which it says.
    """

    def __init__(self, table: CheckedTable) -> None:
        self.table = table
        self._left = _BUDGET_TEXT
        self._same: dict[Span, list[int]] = {}
        for place, row in enumerate(table.rows):
            if row.uses and row.line is not None:
                self._same.setdefault(row.line.name.span, []).append(place)

    def fixes(self, place: int, failure: str) -> list[Fix]:
        """Edits that free the row at a place of one of its failures, the smallest first."""
        budget = min(_BUDGET_ROW, self._left)
        self._left -= budget
        found = self._of_claim(place, failure)
        for candidates in self._searches(place, failure):
            for candidate in candidates:
                if budget <= 0:
                    break
                if candidate.place == place:
                    budget -= 1
                    # Most candidates do not even mend their own row: ask that first.
                    if not self._mends(failure, self.table.alone(place, candidate.rows[place])):
                        continue
                anew = self.table.with_rows(candidate.rows)
                budget -= len(anew)
                if place not in anew:
                    break  # nothing of what this row reads comes from there
                if self._mends(failure, anew[place]) and not self._harmed(anew):
                    found.append((candidate.far, Fix(candidate.message, (candidate.edit,))))
                    break
        self._left += budget
        found.sort(key=lambda near: near[0])
        return [fix for _, fix in found[:MOST_FIXES]]

    @staticmethod
    def _mends(failure: str, verdict: Verdict) -> bool:
        """Whether a failure is gone, and known to be gone."""
        return verdict.outcome is not None and failure not in verdict.failures

    def _harmed(self, anew: dict[int, Verdict]) -> list[str]:
        """The rows that fail in something new."""
        return [
            self.table.rows[i].name
            for i, verdict in anew.items()
            if verdict.failures - self.table.verdicts[i].failures
        ]

    def _of_claim(self, place: int, failure: str) -> list[tuple[float, Fix]]:
        """The edit of the claim itself."""
        row, verdict = self.table.rows[place], self.table.verdicts[place]
        claim = row.claims.get(failure)
        if claim is None or verdict.outcome is None:
            return []
        value, text = actual(failure, verdict.outcome), claim_text(failure, verdict.outcome)
        if "$" in claim.word.span.text:
            return []
        true: dict[int, TypedRow] = {}
        for other in self._everywhere(place):
            claims = self.table.rows[other].claims
            claims = {**claims, failure: replace(claims[failure], value=value)}
            true[other] = replace(self.table.rows[other], claims=claims)
        anew = self.table.with_rows(true)
        harmed = self._harmed(anew)
        if row.uses and (harmed or any(failure in anew[other].failures for other in true)):
            return []  # what is true in one use of the block is not in another
        message = f"{failure} {text}"
        if harmed:
            message += f", which asks for a change in {', '.join(harmed[:3])} too"
        edit = set_value(row, failure, text, claim=True)
        # Of edits of the same size the claim's comes first: it changes no network.
        far = max(map(distance, _numbers(claim.value), _numbers(value))) * 0.99
        return [(far + bool(harmed), Fix(message, (edit,)))]

    def _searches(self, place: int, failure: str) -> Iterator[Iterator[_Candidate]]:
        """For each thing that may change its candidates, the nearest first."""
        row = self.table.rows[place]
        sources = [self.table.places[name] for name in row.sources or ()]
        first = [0] if self.table.rows[0].sources == () else []
        aim = self._aim(place, failure)
        for other in dict.fromkeys([place, *sources, *first]):
            op = self.table.rows[other].op
            for attribute in attributes_of(type(op)) if op is not None else ():
                yield self._values(other, attribute, aim, of_other=other != place)
        if len(sources) == 1:
            yield self._other_sources(place, sources[0])

    def _values(
        self, place: int, attribute: Attribute, aim: float, *, of_other: bool
    ) -> Iterator[_Candidate]:
        """Other values of an attribute."""
        row, name = self.table.rows[place], attribute.name
        given = row.given.get(name)
        everywhere = self._everywhere(place)
        if given is not None and "$" in given.word.span.text:
            return
        operands = self.table.verdicts[place].operands
        op: Any = row.op
        for far, value in nearby(attribute, op, operands[0][1] if operands else None, aim):
            text = attribute.kind.format(value)
            said = text if of_other and name == "size" else f"{name} {text}"
            message = f"{row.name} {said}" if of_other else said
            changed = {other: self._changed(other, name, value) for other in everywhere}
            yield _Candidate(place, changed, message, set_value(row, name, text), far)

    def _other_sources(self, place: int, source: int) -> Iterator[_Candidate]:
        """Other rows to read, the nearest first."""
        row = self.table.rows[place]
        if row.uses:
            return
        for other in range(place - 1, max(-1, place - 1 - _ROWS_TO_READ), -1):
            name = self.table.rows[other].name
            if self.table.places.get(name) != other or other == source:
                continue
            if self.table.rows[other].uses:
                continue
            far = _OTHER_ROW + (place - other) / 100
            edit = set_value(row, "from", Names().format((name,)))
            changed = {place: replace(row, sources=(name,))}
            yield _Candidate(place, changed, f"from {name}", edit, far)

    def _changed(self, place: int, name: str, value: Any) -> TypedRow:
        """The row at a place with another value of an attribute."""
        op: Any = self.table.rows[place].op
        changed = None if op is None else replace(op, **{name: value})
        return replace(self.table.rows[place], op=changed)

    def _everywhere(self, place: int) -> list[int]:
        """The places of all rows that are the same row of the text."""
        line = self.table.rows[place].line
        return [place] if line is None else self._same.get(line.name.span, [place])

    def _aim(self, place: int, failure: str) -> float:
        """How much larger what is claimed is than what is true."""
        outcome, claim = self.table.verdicts[place].outcome, self.table.rows[place].claims
        if outcome is None or failure not in claim or failure == "size":
            return 1.0
        return claim[failure].value / max(1, *_numbers(actual(failure, outcome)))


def _numbers(value: Pair | int | None) -> Pair:
    """A claim's value as two numbers."""
    return value if isinstance(value, tuple) else (value or 0, value or 0)
