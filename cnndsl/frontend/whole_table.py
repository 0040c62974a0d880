"""What a table must be as a whole: an input first, the others below it, and every row read."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.errors import Diagnostic, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.outputs import Outputs
from cnndsl.frontend.syntax import RowLine, TableRow
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.ops.input import Input


def warn_of_unread(rows: Sequence[TypedRow], outputs: Outputs, findings: Findings) -> None:
    """
    A warning for each row that no other row reads and that is no output, and for idle inputs.

    A row of a block is one that nobody reads if that is so wherever the block is used. An input is
    idle where no output depends on it, whoever reads it.
    """
    read = {name for row in rows for name in row.sources or ()}
    read |= {row.expansion.result for row in rows if row.expansion is not None}
    read |= set(outputs.rows)
    needed = _needed(rows, outputs)
    rows = [row for row in rows if row.line is not None]  # without repetitions of a block
    places = {row.span for row in rows if row.name in read}
    for row in rows:
        if row.is_input:
            if row.name not in needed:
                message = "no output depends on this input: what is passed for it changes nothing"
                findings.add(_lost(row, message))
        elif row.span not in places:
            places.add(row.span)
            why_not = "`outputs` does not name it" if outputs.named else "it is not the last"
            message = f"no row reads this one, and {why_not}: its result is lost"
            mends = [f"{row.name} behind `outputs`"] if outputs.named else []
            findings.within(row.notes).add(_lost(row, message, mends))


def _needed(rows: Sequence[TypedRow], outputs: Outputs) -> set[str]:
    """The rows that an output depends on."""
    needed = set(outputs.rows)
    for row in reversed(rows):
        if row.name in needed:
            needed.update(row.sources or ())
            if row.expansion is not None:
                needed.add(row.expansion.result)
    return needed


def _lost(row: TypedRow, message: str, mends: Sequence[str] = ()) -> Diagnostic:
    name = row.name.rpartition(".")[2]
    fixes = tuple(map(Fix, [f"from={name} in the row that should read it", *mends]))
    return Diagnostic("W101", message, row.span, row.name, fixes=fixes, severity="warning")


def refuse_upside_down(rows: Sequence[TableRow], findings: Findings) -> None:
    """
    Raise `SpecError` for a table whose only input is its last row.

    Books print tables so. All that would be said of its rows would follow from this.
    """
    inputs = [row for row in rows if isinstance(row, RowLine) and _is_input(row)]
    if len(rows) > 1 and len(inputs) == 1 and inputs[0] is rows[-1]:
        findings.error(
            "E114",
            "the table stands upside down: its input is the last row",
            inputs[0].name.span,
            inputs[0].name.text,
            fixes=[f"the rows in the other order, {inputs[0].name.text} first"],
        )
        findings.raise_errors()


def _is_input(row: RowLine) -> bool:
    return bool(row.cells) and row.cells[0].text.lower() == Input.row_type


def check_ends(rows: Sequence[TypedRow], outputs: Outputs, findings: Findings) -> None:
    """The first row is an input, and the last one an output unless others are named."""
    for row in rows[:1]:
        if not row.is_input and (row.operator is not None or row.block is not None):
            findings.error(
                "E114",
                "the first row is an input of the network, and this is none",
                row.span,
                row.name,
                fixes=["a row of type input above it, with the image's maps and size"],
            )
    for row in rows[-1:]:
        if row.is_input and not outputs.named and not findings.any:
            findings.error(
                "E114",
                "the table has nothing but its input"
                if len(rows) == 1
                else "the last row is the network's output, and this is an input",
                row.span,
                row.name,
                fixes=["a row that reads it, such as a conv or dense"],
            )
