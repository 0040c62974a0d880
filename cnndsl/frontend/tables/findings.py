"""What is said of a pasted table: errors, warnings and notes, collected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cnndsl.errors import CnnError, Diagnostic, Fix
from cnndsl.source import Span


@dataclass(slots=True)
class Findings:
    """
    The findings of one import, gathered so that a user sees all of them at once.

    `chosen` maps what the import had to choose for the table, in words, to the rows where it did.
    """

    diagnostics: list[Diagnostic] = field(default_factory=list[Diagnostic])
    chosen: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def error(
        self,
        message: str,
        span: Span,
        row: str | None = None,
        column: str | None = None,
        fixes: Iterable[str] = (),
    ) -> None:
        """What keeps the table from being imported."""
        found = tuple(Fix(fix) for fix in fixes)
        self.diagnostics.append(Diagnostic("E802", message, span, row, column, fixes=found))

    def warn(
        self, message: str, span: Span, row: str | None = None, column: str | None = None
    ) -> None:
        """What is left out of the import."""
        self.diagnostics.append(Diagnostic("W802", message, span, row, column, severity="warning"))

    def choose(self, what: str, row: str) -> None:
        """A convention that the table does not say and that the import writes out."""
        self.chosen.setdefault(what, []).append(row)

    def notes(self) -> tuple[str, ...]:
        """One line a choice, with the rows that it was made for."""
        return tuple(f"{', '.join(rows)}: {what}" for what, rows in self.chosen.items())

    def raise_errors(self) -> None:
        """Raise the errors found so far, if there are any."""
        if any(diagnostic.severity == "error" for diagnostic in self.diagnostics):
            raise CnnError.of(self.diagnostics)
