"""What is wrong with a block whatever its parameters are: said once, and not for every use."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from cnndsl.errors import ValueRefused
from cnndsl.frontend.cells import read_row
from cnndsl.frontend.declarations import check_expression
from cnndsl.frontend.expressions import is_true
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.names import INPUT, Names
from cnndsl.frontend.row_types import Block
from cnndsl.frontend.substitution import with_expressions
from cnndsl.frontend.syntax import RowLine, Word
from cnndsl.frontend.typed_row import TypedRow


class _AnyAddress(Container[str]):
    """The addresses of rows in blocks, which are not known before they are expanded."""

    def __contains__(self, address: object) -> bool:
        return True


def check_block(block: Block, findings: Findings) -> None:
    """Read the rows of a block as far as they do not depend on its parameters."""
    names = Names(block.rows, _AnyAddress(), {INPUT: INPUT})
    parameters = [parameter.name for parameter in block.parameters]
    for line in block.rows:
        if findings.full:
            return
        if isinstance(line, RowLine):
            pending = _pending(line, block, findings)
            row = read_row(pending, block.columns, block.types, findings, parameters=parameters)
            _check_row(row, names, parameters, findings)
        names.declare(line, line.name.text if isinstance(line, RowLine) else "", findings)


def _check_row(row: TypedRow, names: Names, parameters: list[str], findings: Findings) -> None:
    if row.is_input:
        message = f"a block has no input row: its first row reads {INPUT!r}"
        findings.error("E114", message, row.span, row.name, fixes=["delete it"])
    for word in row.source_words:
        if "$" in word.text:
            check_expression(word, parameters, findings, row.name)
        else:
            names.resolve(word, row.name, findings)
    when = row.given.get("when")
    if when is not None:
        try:
            is_true(when.word.text)
        except ValueRefused as error:
            message = error.diagnostics[0].message
            findings.error(error.code, message, when.word.span, row.name, "when")


def _pending(line: RowLine, block: Block, findings: Findings) -> RowLine:
    """The line, with words marked that depend on parameters."""
    parameters = [parameter.name for parameter in block.parameters]

    def marked(word: Word) -> Word:
        check_expression(word, parameters, findings, line.name.text)
        return replace(word, pending=True)

    return with_expressions(line, block.columns, marked)
