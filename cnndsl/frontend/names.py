"""Which rows the names in a table stand for."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.suggest import did_you_mean
from cnndsl.frontend.syntax import RowLine, TableRow, Word
from cnndsl.ops.kinds import shown
from cnndsl.source import Span

INPUT = "in"
"""What the rows of a block call that which the block reads."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a parameter stands for, and the names among which it was written."""

    text: str
    names: Names


@dataclass(slots=True)
class Names:
    """
    The names of one table's rows as far as they have been declared.

    `above` maps them to addresses; the name of a row that is left out, to what it would have read.
    `addresses` are those of all rows that there are so far, those in blocks included, and `lines`
    the table's own rows. `arguments` are the values of the block's parameters.
    """

    lines: Sequence[TableRow]
    addresses: Container[str]
    above: dict[str, str] = field(default_factory=dict[str, str])
    arguments: Mapping[str, Argument] = field(default_factory=dict[str, Argument])
    _first: dict[str, Span] = field(default_factory=dict[str, Span])
    _places: dict[str, Span] = field(default_factory=dict[str, Span])

    def __post_init__(self) -> None:
        for line in reversed(self.lines):
            self._places[_name(line)] = line.span

    def declare(self, line: TableRow, address: str, findings: Findings) -> None:
        """From here on a row's name stands for an address."""
        name = _name(line)
        if isinstance(line, RowLine):
            if name in self._first:
                self._taken(line.name, address, findings)
            elif name == INPUT and INPUT in self.above:
                message = f"{INPUT!r} is what the block reads: no row of it can be called so"
                fix = Fix("another name, such as first", (Edit(line.name.span, "first"),))
                findings.error("E106", message, line.name.span, address, fixes=[fix])
        self.above.setdefault(name, address)
        self._first.setdefault(name, line.span)

    def resolve(self, word: Word, row: str, findings: Findings) -> tuple[str, ...] | None:
        """The addresses that one name of a `from` stands for, None where it stands for none."""
        names, text = self, word.text
        while text.startswith("$") and text[1:] in names.arguments:
            argument = names.arguments[text[1:]]
            names, text = argument.names, argument.text
        found: list[str] = []
        for name in text.split(","):
            address = names.address(name)
            if address is None:
                names.miss(Word(name, word.span), row, findings)
                return None
            found.append(address)
        return tuple(found)

    def address(self, name: str) -> str | None:
        """The address of a row above, or of a row in a block that a row above uses."""
        head, dot, rest = name.partition(".")
        if head not in self.above:
            return None
        address = f"{self.above[head]}{dot}{rest}"
        return address if not dot or address in self.addresses else None

    def miss(self, word: Word, row: str, findings: Findings) -> None:
        """Say that no row above has a name."""
        below = self._places.get(word.text)
        if findings.full:
            return  # names cost most to compare
        if word.text == row.rpartition(".")[2]:
            message = "a row cannot read itself"
        elif below is not None:
            message = f"{word.text} is below, in line {below.line}: a row reads rows above it"
        else:
            message = f"there is no row {shown(word.text)} above"
        nearest = list(reversed(self.above))
        fixes = did_you_mean(word, nearest) or [f"one of {', '.join(nearest[:5])}"]
        parts = re.split(r"\s*(?:[+&;/|]|\band\b)\s*", word.text)
        if len(parts) > 1 and all(part in self.above for part in parts):
            together = ",".join(parts)
            fixes = [Fix(f"write {together}", (Edit(word.span, together),))]
        findings.error("E111", message, word.span, row, "from", fixes=fixes)

    def _taken(self, word: Word, address: str, findings: Findings) -> None:
        name = word.text
        free = next(n for i in range(2, 10**6) if (n := f"{name}_{i}") not in self._places)
        findings.error(
            "E106",
            f"the name {name} is taken by line {self._first[name].line}",
            word.span,
            address,
            fixes=[Fix(f"another name, such as {free}", (Edit(word.span, free),))],
        )


def _name(line: TableRow) -> str:
    return line.name.text if isinstance(line, RowLine) else line.first
