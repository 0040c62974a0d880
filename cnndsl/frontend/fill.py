"""Write what is inferred into a table, so that the summary is the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.errors import Edit
from cnndsl.frontend.claims import claim_text
from cnndsl.frontend.columns import Slot, default_text, slot_of
from cnndsl.frontend.edits import apply_edits
from cnndsl.frontend.elaborate import check_document
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.nodes import Outcome
from cnndsl.frontend.parse import parse
from cnndsl.frontend.row_types import Column, RowType
from cnndsl.frontend.syntax import NOT_APPLICABLE
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.limits import Limits
from cnndsl.ops.kinds import Flag
from cnndsl.source import Source, Span


def fill_text(source: Source, limits: Limits | None = None) -> Source:
    """
    The text with every `?`, and every claim left out at the end of a row, as inferred.

    Cells that are left out before such a claim get their defaults, or `-`. In a block a `?` stays
    where it would be something else for every use, and what is left out stays so.
    Raises `SpecError` for a text with errors.
    """
    findings = Findings()
    checked = check_document(parse(source, findings, limits), findings, limits)
    edits: list[Edit] = []
    in_blocks: list[Edit] = []
    for row, verdict in zip(checked.table.rows, checked.table.verdicts, strict=True):
        assert verdict.outcome is not None
        if row.uses:
            in_blocks += _questions(row, verdict.outcome)
        elif row.line is not None:
            edits += _questions(row, verdict.outcome)
            edits += _left_out(row, verdict.outcome, checked.outline.columns)
    edits += (edit for edit in _agreed(in_blocks) if edit.span.source is source)
    return apply_edits(source, edits)


def _agreed(edits: Sequence[Edit]) -> Iterator[Edit]:
    """Of edits for every use of a block those that are the same for all, each once."""
    texts: dict[Span, set[str]] = {}
    for edit in edits:
        texts.setdefault(edit.span, set()).add(edit.text)
    for span, said in texts.items():
        if len(said) == 1:
            yield Edit(span, said.pop())


def _questions(row: TypedRow, outcome: Outcome) -> Iterator[Edit]:
    for name, claim in row.claims.items():
        if claim.word.is_question:
            yield Edit(claim.word.span, claim_text(name, outcome))


def _left_out(row: TypedRow, outcome: Outcome, columns: tuple[Column, ...]) -> Iterator[Edit]:
    """The cells from the row's last one to the table's last claim."""
    assert row.line is not None
    last = row.line.cells[-1].span
    row_type: RowType | None = row.block or row.operator
    slots = [slot_of(row_type, column.name or "", column=True) for column in columns]
    claims = [i for i, slot in enumerate(slots) if slot is not None and slot.role == "claim"]
    missing = slots[len(row.line.cells) - 1 : max(claims, default=-1) + 1]
    if missing:
        cells = [_cell(row, slot, outcome) for slot in missing]
        yield Edit(Span(last.source, last.end, last.end), "  " + "  ".join(cells))


def _cell(row: TypedRow, slot: Slot | None, outcome: Outcome) -> str:
    if slot is None:
        return NOT_APPLICABLE
    if slot.role == "claim":
        return NOT_APPLICABLE if slot.name in row.claims else claim_text(slot.name, outcome)
    if slot.name in row.given:
        return NOT_APPLICABLE
    if slot.name == "bias" and row.norm is not None:
        return Flag().format(False)  # what it is where a normalization follows
    return default_text(slot) or NOT_APPLICABLE
