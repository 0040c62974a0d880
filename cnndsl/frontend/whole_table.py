"""What a table must be as a whole: one input first, and every row read."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.errors import Diagnostic, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.typed_row import TypedRow


def warn_of_unread(rows: Sequence[TypedRow], findings: Findings) -> None:
    """
    A warning for each row that neither another row nor the network's result depends on.

    A row of a block is one that nobody reads if that is so wherever the block is used.
    """
    read = {name for row in rows for name in row.sources or ()}
    read |= {row.expansion.result for row in rows if row.expansion is not None}
    read |= {row.name for row in rows[-1:]}
    rows = [row for row in rows if row.line is not None]  # without repetitions of a block
    places = {row.span for row in rows if row.name in read}
    for row in rows:
        if row.span not in places:
            places.add(row.span)
            findings.within(row.notes).add(_unread(row))


def _unread(row: TypedRow) -> Diagnostic:
    name = row.name.rpartition(".")[2]
    return Diagnostic(
        "W101",
        "no row reads this one, and it is not the last: its result is lost",
        row.span,
        row.name,
        fixes=(Fix(f"from={name} in the row that should read it"),),
        severity="warning",
    )


def check_inputs(rows: Sequence[TypedRow], findings: Findings) -> None:
    """A network has one input, and it comes first."""
    for i, row in enumerate(rows):
        is_input = row.operator is not None and row.operator.operands == 0
        known = row.operator is not None or row.block is not None
        if i == 0 and known and not is_input:
            findings.error(
                "E114",
                "the first row is the network's input, and this is none",
                row.span,
                row.name,
                fixes=["a row of type input above it, with the image's maps and size"],
            )
        elif i > 0 and is_input:
            findings.error(
                "E114",
                "a network has one input row, and it is the first",
                row.span,
                row.name,
            )
    if len(rows) == 1 and rows[0].operator is not None and not findings.any:
        findings.error(
            "E114",
            "the table has nothing but its input",
            rows[0].span,
            rows[0].name,
            fixes=["a row that reads it, such as a conv or dense"],
        )
