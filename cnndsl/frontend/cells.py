"""From a row of words to a row of values: name, type, operator, followers, claims."""

from __future__ import annotations

import re

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.entries import RowReport, find_entries
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.header import Column
from cnndsl.frontend.suggest import TYPE_NAMES, did_you_mean
from cnndsl.frontend.syntax import RowLine, Word
from cnndsl.frontend.typed_row import Given, TypedRow, row_span
from cnndsl.frontend.values import Values, read_values
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import Attribute, attributes_of, shown
from cnndsl.ops.base import Op
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.registry import OPERATORS
from cnndsl.source import Span

_LONGEST_NAME = 40

RESERVED = ("block", "end")
"""Names that the language keeps for itself."""


def read_row(line: RowLine, columns: tuple[Column, ...], findings: Findings) -> TypedRow:
    """One row, as far as it can be read. What is wrong with it goes to `findings`."""
    report = RowReport(line.name.text[:_LONGEST_NAME], findings)
    if not line.cells and re.search("[,;]", line.name.text):
        fix = "`cnndsl import table` reads CSV and writes a .cnn text"
        findings.error("E106", "this is a row of a CSV table", line.name.span, fixes=[fix])
        return TypedRow(line.name.text, row_span(line), line)
    _check_name(line.name, report)
    operator = _operator(line, report)
    values = read_values(operator, find_entries(line, operator, columns, report), report)
    given = values.given
    return TypedRow(
        name=line.name.text,
        span=row_span(line),
        line=line,
        operator=operator,
        op=_op(line, operator, columns, values, report),
        activation=_activation(given.get("activation"), operator),
        dropout=Dropout(given["dropout"].value) if "dropout" in given else None,
        given=given,
        claims=values.claims,
        source_words=_names(given["from"]) if "from" in given else (),
        sources=None if "from" in values.refused else (),
    )


def _check_name(word: Word, report: RowReport) -> None:
    if word.text.lower() in RESERVED:
        better = f"{word.text}_1"
        fix = Fix(f"another name, such as {better}", (Edit(word.span, better),))
        report.error("E106", f"{word.text!r} is a word of the language", word.span, fixes=[fix])
    elif not re.fullmatch(r"[^\W\d][\w-]{0,99}", word.text):
        plain = re.sub(r"[^\w-]+", "_", word.text[:_LONGEST_NAME]).strip("_-")
        better = plain if re.match(r"[^\W\d]", plain) else f"L{plain}"
        report.findings.error(
            "E106",
            f"{shown(word.text)} is no row name: a letter, then letters, digits, _ and -",
            word.span,
            fixes=[Fix(f"such as {better}", (Edit(word.span, better),))],
        )


def _operator(line: RowLine, report: RowReport) -> type[Op] | None:
    if not line.cells:
        report.error("E107", "the row has no type", line.name.span, "type")
        return None
    word = line.cells[0]
    operator = OPERATORS.get(word.text.lower())
    if operator is None:
        report.error(
            "E104",
            f"{shown(word.text)} is no row type",
            word.span,
            "type",
            did_you_mean(word, OPERATORS, TYPE_NAMES) or [f"one of {', '.join(OPERATORS)}"],
        )
    return operator


def _op(
    line: RowLine,
    operator: type[Op] | None,
    columns: tuple[Column, ...],
    values: Values,
    report: RowReport,
) -> Op | None:
    """The operator with its attributes, if all that it needs is there."""
    if operator is None:
        return None
    complete = _check_groups(operator, values, report)
    missing = [a for a in attributes_of(operator) if a.required and a.name not in values.given]
    # Behind a column or an option that nobody knows, an attribute may have been meant.
    unsaid = [a for a in missing if a.name not in values.refused and not values.unknown]
    if unsaid:
        _miss(line, operator, columns, unsaid, report)
    own = {attribute.name for attribute in attributes_of(operator)}
    if missing or not complete or values.unknown or own & values.refused:
        return None
    return operator(**{name: g.value for name, g in values.given.items() if name in own})


def _check_groups(operator: type[Op], values: Values, report: RowReport) -> bool:
    """Whether of attributes that exclude each other at most one is given."""
    groups: dict[str, list[str]] = {}
    for attribute in attributes_of(operator):
        if attribute.group and attribute.name in values.given:
            groups.setdefault(attribute.group, []).append(attribute.name)
    twice = {group: names for group, names in groups.items() if len(names) > 1}
    for group, names in twice.items():
        report.error(
            "E113",
            f"{' and '.join(names)} give the {group}, and exactly one of them may",
            values.given[names[1]].word.span,
            names[1],
        )
    return not twice


def _miss(
    line: RowLine,
    operator: type[Op],
    columns: tuple[Column, ...],
    attributes: list[Attribute],
    report: RowReport,
) -> None:
    """Say which attributes must be given, and where they can be."""
    fixes: list[str] = []
    column = None
    for attribute in attributes:
        names = (attribute.name, *attribute.aliases)
        column = next((c.word.text for c in columns if c.name in names), None)
        place = f"in column {column}" if column else f"as {attribute.name}=..."
        fixes.append(f"write {attribute.name} {place}: {attribute.kind.expects}")
    needs = " and ".join(f"{attribute.name} ({attribute.doc})" for attribute in attributes)
    only = column if len(attributes) == 1 else None
    report.error("E107", f"{operator.row_type} needs {needs}", row_span(line), only, fixes)


def _activation(given: Given | None, operator: type[Op] | None) -> Activation | None:
    """The function applied to the row's result. `linear` is none."""
    if given is None or operator is Activation:
        return None
    activation = Activation(given.value)
    return None if activation.name == "linear" else activation


def _names(given: Given) -> tuple[Word, ...]:
    """The names of a `from` list, each with its place."""
    word = given.word
    start = word.span.start + word.span.text.index(word.text)
    names: list[Word] = []
    for name in word.text.split(","):
        names.append(Word(name, Span(word.span.source, start, start + len(name))))
        start += len(name) + 1
    return tuple(names)
