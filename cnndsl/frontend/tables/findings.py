"""What is said of a pasted table: errors, warnings and notes, collected."""

from __future__ import annotations

from collections.abc import Iterable

from cnndsl.errors import Diagnostic
from cnndsl.frontend.findings import Findings
from cnndsl.source import Span


class TableFindings(Findings):
    """The findings of one import, and what it had to choose because the table does not say it."""

    def __init__(self) -> None:
        super().__init__()
        self._chosen: dict[str, list[str]] = {}

    def refuse(
        self,
        message: str,
        span: Span,
        row: str | None = None,
        column: str | None = None,
        fixes: Iterable[str] = (),
    ) -> None:
        """Keep what prevents the table from being imported."""
        self.error("E802", message, span, row, column, fixes=fixes)

    def leave_out(
        self, message: str, span: Span, row: str | None = None, column: str | None = None
    ) -> None:
        """Keep a warning about a part of the text that the import leaves out."""
        self.add(Diagnostic("W802", message, span, row, column, severity="warning"))

    def choose(self, what: str, row: str) -> None:
        """Keep a convention that the table does not say and that the import writes out."""
        self._chosen.setdefault(what, []).append(row)

    def notes(self) -> tuple[str, ...]:
        """One line a choice, with the rows that it was made for."""
        return tuple(f"{', '.join(rows)}: {what}" for what, rows in self._chosen.items())
