"""Tables pasted from books and papers, written as `.cnn` text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnndsl.errors import Diagnostic
from cnndsl.frontend.tables.conventions import settle
from cnndsl.frontend.tables.findings import TableFindings
from cnndsl.frontend.tables.grid import read_grid, source_of
from cnndsl.frontend.tables.layers import read_layers
from cnndsl.frontend.tables.rows import read_row
from cnndsl.frontend.tables.writing import write_rows
from cnndsl.limits import Limits


@dataclass(frozen=True, slots=True)
class ImportedTable:
    """
    A pasted table as canonical `.cnn` text.

    `notes` list what the table does not say and the text does; `diagnostics` are warnings about
    what was left out.
    """

    text: str
    notes: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


def import_table(
    text: str, name: str, path: str = "<table>", limits: Limits | None = None
) -> ImportedTable:
    """
    Read a Markdown, TSV or CSV table, input row first or last, in English or Korean.

    `name` becomes the network's, `path` is where findings say that they are. Raises `CnnError`
    E802 with all that keeps the table from being read, and `LimitError`.
    """
    limits = limits or Limits()
    findings = TableFindings()
    source = source_of(path, text, limits)
    layers = read_layers(source, read_grid(source), limits, findings)
    rows = [read_row(layer, findings) for layer in layers]
    findings.raise_errors()
    settle(rows, findings)
    written = write_rows(re.sub(r"[^\w.-]+", "-", name).strip("-") or "Network", rows)
    return ImportedTable(written, findings.notes(), findings.sorted())
