"""Which rows a row reads, by name."""

from __future__ import annotations

from dataclasses import replace

from cnndsl.errors import Diagnostic, Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.suggest import did_you_mean
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.ops.attributes import shown


def link_rows(rows: list[TypedRow], findings: Findings) -> list[TypedRow]:
    """The rows with their `sources`. Names that are taken or unknown go to `findings`."""
    above: dict[str, TypedRow] = {}
    places = {row.name: row for row in reversed(rows)}
    linked: list[TypedRow] = []
    for row in rows:
        sources = _sources(row, linked, above, places, findings)
        linked.append(replace(row, sources=sources))
        if row.name in above and row.line is not None:
            _name_taken(row, above[row.name], places, findings)
        above.setdefault(row.name, row)
    _check_inputs(linked, findings)
    return linked


def unread(rows: list[TypedRow]) -> list[Diagnostic]:
    """A warning for each row that neither another row nor the network's result depends on."""
    read = {name for row in rows for name in row.sources or ()}
    return [
        Diagnostic(
            "W101",
            "no row reads this one, and it is not the last: its result is lost",
            row.span,
            row.name,
            fixes=(Fix(f"from={row.name} in the row that should read it"),),
            severity="warning",
        )
        for row in rows[:-1]
        if row.name not in read
    ]


def _sources(
    row: TypedRow,
    rows: list[TypedRow],
    above: dict[str, TypedRow],
    places: dict[str, TypedRow],
    findings: Findings,
) -> tuple[str, ...] | None:
    """What a row reads, or None where that is unknown."""
    if row.sources is None:
        return None
    if row.operator is not None and row.operator.operands == 0:
        return ()
    if not row.source_words:
        return (rows[-1].name,) if rows else None  # too few for some: the operator says so
    known = True
    for word in row.source_words:
        if word.text in above:
            continue
        known = False
        if findings.full:
            break  # names cost most to compare
        below = places.get(word.text)
        if word.text == row.name:
            message = "a row cannot read itself"
        elif below is not None:
            message = f"{word.text} is below, in line {below.span.line}: a row reads rows above it"
        else:
            message = f"there is no row {shown(word.text)} above"
        nearest = list(reversed(above))
        fixes = did_you_mean(word, nearest) or [f"one of {', '.join(nearest[:5])}"]
        findings.error("E111", message, word.span, row.name, "from", fixes=fixes)
    return tuple(word.text for word in row.source_words) if known else None


def _name_taken(
    row: TypedRow, first: TypedRow, places: dict[str, TypedRow], findings: Findings
) -> None:
    assert row.line is not None
    free = next(name for i in range(2, 10**6) if (name := f"{row.name}_{i}") not in places)
    word = row.line.name
    findings.error(
        "E106",
        f"the name {row.name} is taken by line {first.span.line}",
        word.span,
        row.name,
        fixes=[Fix(f"another name, such as {free}", (Edit(word.span, free),))],
    )


def _check_inputs(rows: list[TypedRow], findings: Findings) -> None:
    """A network has one input, and it comes first."""
    for i, row in enumerate(rows):
        is_input = row.operator is not None and row.operator.operands == 0
        if i == 0 and row.operator is not None and not is_input:
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
