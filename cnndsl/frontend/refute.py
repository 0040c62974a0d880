"""What to say of a claim that does not hold."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.checking import REFUSED, CheckedTable
from cnndsl.frontend.claims import actual, claim_text
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.fixes import MOST_FIXES, FixSearch
from cnndsl.frontend.missing_row import missing_projection, missing_steps
from cnndsl.frontend.nodes import Operands, Outcome
from cnndsl.frontend.syntax import INFER, NOT_APPLICABLE
from cnndsl.frontend.typed_row import Given, TypedRow
from cnndsl.ops.base import Param

_CODES = {"size": "E202", "params": "E203", "macs": "E204", "maps": "E206"}
# Edits that are told before a row that may be missing: the first are the likelier.
_BEFORE_A_ROW = 2
# Where no single edit that was tried helps.
_OTHER_ROWS = Fix("other values in this row, or other rows for it to read")


def report_failures(table: CheckedTable, findings: Findings) -> None:
    """Say what rows refuse and which claims are false, and which single edits would mend that."""
    search = FixSearch(table)
    for place in range(len(table.rows)):
        if findings.full:
            return
        _report_row(table, place, search, findings.within(table.rows[place].notes))


def _report_row(table: CheckedTable, place: int, search: FixSearch, findings: Findings) -> None:
    verdict = table.verdicts[place]
    if not verdict.failures:
        return
    if verdict.error is not None:
        for diagnostic in verdict.error.diagnostics:
            found = [] if diagnostic.fixes else search.fixes(place, REFUSED)
            found[_BEFORE_A_ROW:_BEFORE_A_ROW] = missing_projection(table, place)
            fixes = diagnostic.fixes or tuple(found[:MOST_FIXES])
            findings.add(replace(diagnostic, fixes=fixes or (_OTHER_ROWS,)))
    for name in sorted(verdict.failures - {REFUSED}):
        _report_claim(table, place, name, search, findings)


def _report_claim(
    table: CheckedTable, place: int, name: str, search: FixSearch, findings: Findings
) -> None:
    row, verdict = table.rows[place], table.verdicts[place]
    claim = row.claims[name]
    assert verdict.outcome is not None
    assert verdict.operands is not None
    if claim.value is None or actual(name, verdict.outcome) is None:
        _misplaced_sign(row, name, claim, verdict.outcome, findings)
        return
    message, *notes = _refutation(row, name, claim, verdict.outcome, verdict.operands)
    missing = missing_steps(table, place) if name == "size" else []
    fixes = [*missing, *search.fixes(place, name)][:MOST_FIXES]
    if not fixes:
        fixes = [Fix(f"write ?, which claims no {name}", (Edit(claim.word.span, INFER),))]
    findings.error(_CODES[name], message, claim.word.span, row.name, claim.column, notes, fixes)


def _misplaced_sign(
    row: TypedRow, name: str, claim: Given, outcome: Outcome, findings: Findings
) -> None:
    """A `-` where there is something to claim, or anything else where there is nothing."""
    text = claim_text(name, outcome)
    if claim.word.is_dash:
        message = f"`-` says that the row has no {name}, but it has: {text}"
        texts = [INFER] if row.uses else [INFER, text]  # in a block it may be another each time
    else:
        reads_vector = row.operator is not None and row.operator.reads == "vector"
        units = " (its units stand in maps)" if reads_vector else ""
        message = f"{row.row_type} yields a vector, which has no {name}{units}"
        texts = [NOT_APPLICABLE]
    fixes = [Fix(f"write {text}", (Edit(claim.word.span, text),)) for text in texts]
    findings.error("E109", message, claim.word.span, row.name, claim.column, fixes=fixes)


def _refutation(
    row: TypedRow, name: str, claim: Given, outcome: Outcome, operands: Operands
) -> tuple[str, ...]:
    """The message, and notes to check it by hand."""
    said = claim.word.text
    if name == "params":
        notes = [_count(full_name, param) for full_name, param in outcome.params.items()]
        return f"the row has {outcome.param_count:,} parameters, not {said}", *notes
    if name == "macs":
        return (
            f"the row takes {outcome.macs:,} multiply-accumulates, not {said}",
            *_products(outcome),
        )
    if name == "size":
        return _size(row, said, outcome, operands)
    if operands and operands[0][1].maps == outcome.result.maps:
        source, type_ = operands[0]
        return (f"{row.row_type} keeps the {type_.maps} maps of {source}, not {said}",)
    return (f"{row.row_type} yields {outcome.result.maps} maps, not {said}",)


def _size(row: TypedRow, said: str, outcome: Outcome, operands: Operands) -> tuple[str, ...]:
    (source, type_), size = operands[0], claim_text("size", outcome)
    arithmetic = "" if row.op is None else row.op.arithmetic(*outcome.operands)
    fact, _, numbers = arithmetic.partition(": ")
    if fact:
        return f"{fact}, not {said}", numbers
    if type_.is_image and type_.height_width == outcome.result.height_width:
        return (f"{row.row_type} keeps the size {size} of {source}, not {said}",)
    return (f"{row.row_type} of {type_.describe()} is {size}, not {said}",)


def _count(full_name: str, param: Param) -> str:
    shape = "x".join(map(str, param.shape))
    if param.connections:
        return f"{full_name} is {shape}, and the connections use {param.count:,} of it"
    return f"{full_name} is {shape} = {prod(param.shape):,}"


def _products(outcome: Outcome) -> list[str]:
    """The number of products as outputs times the products of each."""
    result = outcome.result
    if result.is_image:
        height, width = result.height_width
        return [f"{height}x{width} pixels of {outcome.macs // (height * width):,} products each"]
    return [f"{result.size} outputs of {outcome.macs // result.size:,} products each"]
