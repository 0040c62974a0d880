"""The diagnostics of one text, collected while it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from cnndsl.errors import Diagnostic, Fix, SpecError
from cnndsl.source import Span

MOST = 100
"""Errors that are reported at once. Nobody reads more, and a hostile text has no end of them."""


class Findings:
    """Collects diagnostics; once `full`, whoever checks may stop."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._notes: tuple[str, ...] = ()

    def within(self, notes: Sequence[str]) -> Findings:
        """
        These findings, for what stands in a block: `notes` say which rows have expanded it.

        What has been found at a place in a block is not found there again for every use.
        """
        if not notes:
            return self
        inner = Findings()
        inner._found, inner._notes = self._found, tuple(notes)
        return inner

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a diagnostic, if there is room."""
        if self._notes:
            if any(found.span == diagnostic.span for found in self._found):
                return
            # An edit of a word that depends on parameters would be one for all uses.
            fixes = tuple(
                replace(fix, edits=()) if any("$" in e.span.text for e in fix.edits) else fix
                for fix in diagnostic.fixes
            )
            notes = (*diagnostic.notes, *self._notes)
            diagnostic = replace(diagnostic, notes=notes, fixes=fixes)
        if not self.full:
            self._found.append(diagnostic)

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        row: str | None = None,
        column: str | None = None,
        notes: Iterable[str] = (),
        fixes: Iterable[Fix | str] = (),
    ) -> None:
        """Keep an error at its place."""
        mends = tuple(Fix(fix) if isinstance(fix, str) else fix for fix in fixes)
        self.add(Diagnostic(code, message, span, row, column, tuple(notes), mends))

    def forget(self, codes: Collection[str]) -> None:
        """Drop what was found with one of the codes: it may follow from something else."""
        self._found[:] = [found for found in self._found if found.code not in codes]

    @property
    def full(self) -> bool:
        """Whether enough has been found."""
        return len(self._found) >= MOST

    @property
    def any(self) -> bool:
        """Whether an error has been found."""
        return any(d.severity == "error" for d in self._found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """What was found, in the order of the text."""
        names = list(dict.fromkeys(d.span.source.name for d in self._found if d.span))
        order = {name: place for place, name in enumerate(names)}
        found = sorted(
            self._found, key=lambda d: (order[d.span.source.name], d.span.start) if d.span else ()
        )
        if self.full:
            more = "there may be more: only so many are looked for at once"
            found[-1] = replace(found[-1], notes=(*found[-1].notes, more))
        return tuple(found)

    def raise_errors(self) -> None:
        """Raise one `SpecError` for everything found, if an error is among it."""
        if self.any:
            raise SpecError.of(self.sorted())
