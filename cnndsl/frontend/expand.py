"""
Rows in place of the rows whose types are blocks.

A row of the type of a block is followed by nothing new: before it stand the rows that it became,
addressed by its name (`R1.c2`), and it stands for them. A repeated one stands for its repetitions
(`R2.1`, `R2.2`), each of which reads the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cnndsl.errors import LimitError, ValueRefused
from cnndsl.frontend.cells import names_in, read_row
from cnndsl.frontend.declarations import check_expression
from cnndsl.frontend.expressions import is_true, parse_expression
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.names import INPUT, Argument, Names
from cnndsl.frontend.row_types import Block, Column, RowTypes
from cnndsl.frontend.substitution import with_expressions, word_of
from cnndsl.frontend.syntax import BadLine, RowLine, TableRow, Word
from cnndsl.frontend.typed_row import Expansion, TypedRow
from cnndsl.ir.network import Use
from cnndsl.limits import Limits

# A row of so many words takes as long to expand as two short ones.
_WORDS = 32


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that is being expanded: the network's, or a block's for one use of it."""

    lines: Sequence[TableRow]
    columns: tuple[Column, ...]
    types: RowTypes
    names: Names
    findings: Findings
    prefix: str = ""
    uses: tuple[Use, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        """The values of the block's parameters."""
        return {name: argument.text for name, argument in self.names.arguments.items()}


class Expander:
    """
    Expands the network's table.

    `rows` are all rows so far, `top` those of the network's own table.
    """

    def __init__(self, limits: Limits) -> None:
        self.rows: list[TypedRow] = []
        self.top: list[TypedRow] = []
        self._addresses: set[str] = set()
        self._limits = limits
        self._left = limits.rows

    def expand(
        self,
        lines: Sequence[TableRow],
        columns: tuple[Column, ...],
        types: RowTypes,
        findings: Findings,
    ) -> None:
        """
        Expand a table. What is wrong with its rows goes to `findings`.

        Raises `LimitError` for too many rows, and for blocks in blocks too deep.
        """
        names = Names(lines, self._addresses)
        self._expand(_Table(lines, columns, types, names, findings), None)

    def _expand(self, table: _Table, operand: str | None) -> Expansion:
        """The rows of a table, the first of which reads `operand`."""
        parts: list[str] = []
        result, above = operand or "", operand
        for line in table.lines:
            if table.findings.full:
                break
            if table.uses:
                self._charge(line, table.uses[0])
            row = self._row(line, table, above)
            taken = row is not None and row.name in self._addresses
            if row is not None:
                self._add(row)
                parts.append(row.name)
            result = self._left_out(line, table, above) if row is None else row.name
            # The address of a second row of one name is the first one's: its reader reads neither.
            above = None if taken else result
            table.names.declare(line, result, table.findings)
        return Expansion(tuple(parts), result)

    def _add(self, row: TypedRow) -> None:
        self.rows.append(row)
        self._addresses.add(row.name)
        if not row.uses:
            self.top.append(row)

    def _row(self, line: TableRow, table: _Table, above: str | None) -> TypedRow | None:
        """The row of a line, the rows that it expands to being added; None if it is left out."""
        if isinstance(line, BadLine):
            return TypedRow(table.prefix + line.first, line.span, sources=None, uses=table.uses)
        if table.uses:
            line = _evaluated(line, table)
            if not _is_there(line, table):
                return None
        row = read_row(line, table.columns, table.types, table.findings, table.prefix)
        row = replace(row, uses=table.uses)
        if not table.uses and "when" in row.given:
            message = "only rows of a block can be left out: this one is always there"
            word = row.given["when"].word
            fixes = ["delete it"]
            table.findings.error("E105", message, word.span, row.name, "when", fixes=fixes)
        row = replace(row, sources=_sources(row, table, above))
        return row if row.block is None else self._use(row, row.block, table)

    def _left_out(self, line: TableRow, table: _Table, above: str | None) -> str:
        """What stands for a row that is left out: what it reads, of several the first."""
        assert isinstance(line, RowLine)
        if above is None:  # unknown: only the network's own table may read nothing
            return ""
        word = word_of(line, table.columns, "from")
        if word is None:
            return above
        found = table.names.resolve(names_in(word)[0], line.name.text, table.findings)
        return found[0] if found else above

    def _use(self, row: TypedRow, block: Block, table: _Table) -> TypedRow:
        """A row of the type of a block, expanded."""
        if row.sources is None:
            return row
        if len(row.sources) != 1:
            message = f"{block.name} reads 1 row, and {len(row.sources)} are named"
            fixes = ["name one row, and the others as the block's parameters: from=$skip"]
            place = row.cells["from"]
            table.findings.error("E201", message, place, row.name, "from", fixes=fixes)
            return replace(row, sources=None)
        if len(row.uses) >= self._limits.nesting:
            raise LimitError(
                f"blocks stand in blocks more than {self._limits.nesting} deep",
                code="E305",
                span=row.span,
                row=row.name,
                notes=row.notes,
                fixes=["a larger limit: Limits(nesting=...) in Python"],
            )
        repeat = row.given.get("repeat")
        if repeat is None:
            result = self._stand_in(row.name, row, block, row.sources[0], table)
            return replace(row, expansion=result)
        parts: list[str] = []
        operand = row.sources[0]
        for number in range(1, repeat.value + 1):
            name = f"{row.name}.{number}"
            expansion = self._stand_in(name, row, block, operand, table)
            once = TypedRow(name, row.span, block=block, sources=(operand,), uses=row.uses)
            self.rows.append(replace(once, expansion=expansion))
            self._addresses.add(name)
            parts.append(name)
            operand = name
        return replace(row, expansion=Expansion(tuple(parts), operand))

    def _stand_in(
        self, name: str, row: TypedRow, block: Block, operand: str, table: _Table
    ) -> Expansion:
        """The rows of a block that stand for a row of its type, or for one repetition, `name`."""
        use = Use(block.name, name, row.span)
        uses = (*row.uses, use)
        notes = [str(use) for use in reversed(uses)]
        arguments: dict[str, Argument] = {}
        names = Names(block.rows, self._addresses, {INPUT: operand}, arguments)
        inner = _Table(
            block.rows,
            block.columns,
            block.types,
            names,
            table.findings.within(notes),
            f"{name}.",
            uses,
        )
        for parameter in block.parameters:
            given = row.given.get(parameter.name)
            if given is not None:
                written = _argument(given.word, table.names)
                arguments[parameter.name] = written or Argument(given.word.text, table.names)
            elif parameter.default is not None:
                written = _argument(parameter.default, names)
                word = _value(parameter.default, None, inner)
                arguments[parameter.name] = written or Argument(word.text, names)
        return self._expand(inner, operand)

    def _charge(self, line: TableRow, use: Use) -> None:
        """Count a row that a block expands to."""
        words = len(line.cells) + len(line.options) if isinstance(line, RowLine) else 0
        self._left -= 1 + words // _WORDS
        if self._left < 0:
            raise LimitError(
                f"with its blocks expanded the table has more than {self._limits.rows:,} rows",
                code="E302",
                span=use.span,
                row=use.row,
                fixes=["a larger limit: Limits(rows=...) in Python"],
            )


def _sources(row: TypedRow, table: _Table, above: str | None) -> tuple[str, ...] | None:
    """What a row reads, or None where that is unknown."""
    if row.sources is None:
        return None
    if row.operator is not None and row.operator.operands == 0:
        return None if table.uses and row.is_input else ()
    if not row.source_words:
        return None if above is None else (above,)
    found = [table.names.resolve(word, row.name, table.findings) for word in row.source_words]
    if None in found:
        return None
    return tuple(name for names in found for name in names or ())


def _is_there(line: RowLine, table: _Table) -> bool:
    """Whether a row's condition holds."""
    when = word_of(line, table.columns, "when")
    if when is None or when.pending:
        return True
    try:
        return is_true(when.text)
    except ValueRefused as error:
        message, row = error.diagnostics[0].message, f"{table.prefix}{line.name.text}"
        table.findings.error(error.code, message, when.span, row, "when")
        return True


def _evaluated(line: RowLine, table: _Table) -> RowLine:
    """A row of a block with the values of the block's parameters."""
    row = f"{table.prefix}{line.name.text}"
    return with_expressions(line, table.columns, lambda word: _value(word, row, table))


def _value(word: Word, row: str | None, table: _Table) -> Word:
    """A word with the values of the block's parameters; pending where it has none."""
    if "$" not in word.text:
        return word
    if not check_expression(word, list(table.names.arguments), table.findings, row):
        return replace(word, pending=True)
    try:
        return replace(word, text=parse_expression(word.text).evaluate(table.values))
    except ValueRefused as error:
        table.findings.error(error.code, error.diagnostics[0].message, word.span, row)
        return replace(word, pending=True)


def _argument(word: Word, names: Names) -> Argument | None:
    """The argument that a word passes on, where it is nothing but a parameter."""
    written = word.span.text.strip('"')
    return names.arguments.get(written[1:]) if written.startswith("$") else None
