"""The smallest single edits that make a false claim true."""

from __future__ import annotations

from cnndsl.errors import Fix
from cnndsl.frontend.checking import CheckedTable


class FixSearch:
    """Searches a table for edits."""

    def __init__(self, table: CheckedTable) -> None:
        self.table = table

    def fixes(self, place: int, name: str) -> list[Fix]:
        return []
