"""From a row of words to a row of values: name, type, operator, followers, claims."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.entries import RowReport, find_entries
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.row_types import Block, Column, RowType, RowTypes
from cnndsl.frontend.syntax import RowLine, Word
from cnndsl.frontend.typed_row import Given, TypedRow, row_span
from cnndsl.frontend.values import Values, read_values
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import Attribute, attributes_of
from cnndsl.ops.base import Op
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.kinds import shown
from cnndsl.source import Span

_LONGEST_NAME = 40

RESERVED = ("block", "end", "include", "outputs")
"""Names that the language keeps for itself."""


def read_row(
    line: RowLine,
    columns: tuple[Column, ...],
    types: RowTypes,
    findings: Findings,
    prefix: str = "",
    parameters: Sequence[str] = (),
) -> TypedRow:
    """
    One row, as far as it can be read. What is wrong with it goes to `findings`.

    Of a row in a block, `prefix` is what its address begins with, and `parameters` are the block's.
    """
    report = RowReport(prefix + line.name.text[:_LONGEST_NAME], findings, parameters)
    if not line.cells and re.search("[,;]", line.name.text):
        fix = "`cnndsl import table` reads CSV and writes a .cnn text"
        findings.error("E106", "this is a row of a CSV table", line.name.span, fixes=[fix])
        return TypedRow(prefix + line.name.text, row_span(line), line)
    _check_name(line.name, report)
    row_type = _row_type(line, types, report)
    values = read_values(row_type, find_entries(line, row_type, columns, report), report)
    given = values.given
    row = TypedRow(
        name=prefix + line.name.text,
        span=row_span(line),
        line=line,
        given=given,
        claims=values.claims,
        source_words=names_in(given["from"].word) if "from" in given else (),
        sources=None if "from" in values.refused else (),
    )
    if isinstance(row_type, Block):
        complete = _check_arguments(row_type, columns, values, row, report)
        return replace(row, block=row_type, sources=row.sources if complete else None)
    operator = row_type
    return replace(
        row,
        operator=operator,
        op=_op(line, operator, columns, values, report),
        norm=given["norm"].value if "norm" in given else None,
        activation=_activation(given.get("activation"), operator),
        dropout=Dropout(given["dropout"].value) if "dropout" in given else None,
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


def _row_type(line: RowLine, types: RowTypes, report: RowReport) -> RowType | None:
    if not line.cells:
        report.error("E107", "the row has no type", line.name.span, "type")
        return None
    word = line.cells[0]
    row_type = types.find(word.text)
    if row_type is None:
        message = types.why_not(word.text) or f"{shown(word.text)} is no row type"
        report.error("E104", message, word.span, "type", types.suggest(word))
    return row_type


def _check_arguments(
    block: Block,
    columns: tuple[Column, ...],
    values: Values,
    row: TypedRow,
    report: RowReport,
) -> bool:
    """Whether all parameters of a block that need values have them."""
    known = {*values.given, *values.refused}
    missing = [p.name for p in block.parameters if p.default is None and p.name not in known]
    if missing and not values.unknown:
        column = next((c.word.text for c in columns if c.name in missing), None)
        name = ", ".join(missing)
        place = f"in column {column}" if column in missing else f"as {missing[0]}=..."
        message = f"{block.name} needs {name}"
        report.error("E107", message, row.span, column, [f"write it {place}"])
    return not (missing or values.unknown or values.refused)


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
    attributes = {name: g.value for name, g in values.given.items() if name in own}
    if "norm" in values.given and "bias" in own and "bias" not in attributes:
        # The normalization takes a mean away, and with it any bias: papers leave that one out.
        attributes["bias"] = False
    return operator(**attributes)


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
            [f"only one of {', '.join(names)}"],
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


def names_in(word: Word) -> tuple[Word, ...]:
    """The names of a `from` list, each with its place."""
    start = word.span.start + word.span.text.index(word.text)
    names: list[Word] = []
    for name in word.text.split(","):
        names.append(Word(name, Span(word.span.source, start, start + len(name))))
        start += len(name) + 1
    return tuple(names)
