"""The blocks that a text declares, and those of the files that it includes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from cnndsl.errors import CnnError, Edit, Fix, ValueRefused
from cnndsl.frontend.columns import RESERVED, column_names, option_names
from cnndsl.frontend.expressions import parse_expression
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.header import TableOwner, check_version, read_table
from cnndsl.frontend.includes import IncludedFiles
from cnndsl.frontend.parameter_kinds import parameter_kinds
from cnndsl.frontend.parse import parse
from cnndsl.frontend.row_types import Block, Parameter, RowTypes
from cnndsl.frontend.sections import Section, Sections, split
from cnndsl.frontend.suggest import closest
from cnndsl.frontend.syntax import BlockLine, Document, KeywordLine, ParameterWord, Word
from cnndsl.limits import Limits
from cnndsl.ops.kinds import Kind, Text, shown
from cnndsl.ops.registry import OPERATORS
from cnndsl.source import Source

NAME = r"[^\W\d][\w-]{0,99}"
"""What rows and blocks may be called."""

_PARAMETER = r"[a-z_][a-z0-9_]{0,39}"


@dataclass(frozen=True, slots=True)
class Declarations:
    """
    All blocks by name, those of included files too, in an order in which each uses earlier ones.

    `columns` are the names that a column may have, parameters of blocks included. `self_contained`
    is the text with the blocks of included files in place of each `include`. It is `complete` if
    all of these could be read.
    """

    blocks: dict[str, Block]
    columns: Collection[str]
    self_contained: Source
    complete: bool


def read_declarations(
    document: Document,
    sections: Sections,
    files: IncludedFiles,
    limits: Limits,
    findings: Findings,
) -> Declarations:
    """The blocks of a text. What is wrong with how they are declared goes to `findings`."""
    reader = _Reader(files, limits, findings)
    text = document.source.text
    pieces: list[str] = []
    done = 0
    for line, included in reader.read(document, sections):
        pieces += [text[done : line.span.start], included]
        done = line.span.end
    whole = Source(document.source.name, "".join([*pieces, text[done:]]))
    whole = whole if pieces else document.source
    return Declarations(reader.blocks, reader.columns, whole, reader.complete)


class _Reader:
    """Reads declarations, those of included files where they are included."""

    def __init__(self, files: IncludedFiles, limits: Limits, findings: Findings) -> None:
        self.blocks: dict[str, Block] = {}
        self.columns = set(column_names())
        self.complete = True
        self._files = files
        self._limits = limits
        self._findings = findings

    def read(self, document: Document, sections: Sections) -> Iterator[tuple[KeywordLine, str]]:
        """Read all blocks; yields each `include` with the text of the blocks that it takes."""
        below = {
            part.head.name.text: part.head
            for part in reversed(sections.parts)
            if isinstance(part, Section) and isinstance(part.head, BlockLine)
        }
        for part in sections.parts:
            if isinstance(part, KeywordLine):
                yield part, self._include(part)
            elif isinstance(part.head, BlockLine):
                self._declare(part, part.head, below)

    def _include(self, line: KeywordLine) -> str:
        try:
            source = self._files.enter(line)
        except CnnError as error:
            self.complete = False
            word = line.words[0] if line.words else line.keyword
            for diagnostic in error.diagnostics:
                self._findings.add(diagnostic.at(word.span))
            return ""
        if source is None:
            return ""
        document = parse(source, self._findings, self._limits)
        check_version(document, self._findings)
        sections = split(document, self._findings)
        included = [text for _, text in self.read(document, sections)]
        self._files.leave()
        own = [part.text for part in sections.parts if isinstance(part, Section)]
        return "\n".join([*filter(None, included), *own])

    def _declare(self, section: Section, head: BlockLine, below: dict[str, BlockLine]) -> None:
        name = head.name.text
        self._check_name(head.name)
        place = len(self.blocks)
        types = RowTypes(self.blocks, name, place, below)
        owner = TableOwner(f"the block {shown(name)}", head.name.span)
        columns, rows = read_table(owner, section.lines, self.columns, self._findings)
        if columns is not None and not rows:
            fixes = ["a header and rows before its `end`"]
            message = f"the block {name} has no rows"
            self._findings.error("E114", message, head.name.span, fixes=fixes)
        rows = () if columns is None else rows
        kinds = parameter_kinds(rows, columns or (), types)
        parameters = tuple(self._parameters(head, kinds))
        # Also under a name that cannot be used, unless rows mean something else by it: rows of that
        # type are not wrong for the name.
        if name not in self.blocks and name not in OPERATORS:
            block = Block(name, parameters, columns or (), rows, types, place, head.span)
            self.blocks[name] = block
            self.columns.update(option_names(block))

    def _check_name(self, word: Word) -> None:
        message = ""
        if word.text.lower() in OPERATORS:
            message = f"{word.text} is a row type of the language"
        elif word.text in self.blocks:
            first = self.blocks[word.text].span
            message = f"the block {word.text} is declared already, at {first}"
        elif not re.fullmatch(NAME, word.text):
            allowed = "a letter, then letters, digits, _ and -"
            message = f"{shown(word.text)} is no block name: {allowed}"
        if message:
            self._findings.error("E106", message, word.span, fixes=["another name"])

    def _parameters(self, head: BlockLine, kinds: Mapping[str, Kind]) -> Iterator[Parameter]:
        known: list[str] = []
        for declared in head.parameters:
            name = declared.name.text
            if name in known:
                self._findings.error(
                    "E113", f"a second parameter {name}", declared.name.span, fixes=["delete it"]
                )
                continue
            if not self._check_parameter(declared.name):
                continue
            yield Parameter(name, kinds.get(name, Text()), self._default(declared, known))
            known.append(name)

    def _check_parameter(self, word: Word) -> bool:
        if word.text in RESERVED:
            message = f"a row of any block has a {word.text} already: no parameter can be so called"
            self._findings.error("E116", message, word.span, fixes=["another name"])
            return False
        if re.fullmatch(_PARAMETER, word.text):
            return True
        plain = word.text.lower()
        fixes = [Fix(plain, (Edit(word.span, plain),))] if re.fullmatch(_PARAMETER, plain) else []
        message = f"{shown(word.text)} is no parameter's name: small letters, digits and _"
        self._findings.error("E116", message, word.span, fixes=fixes)
        return False

    def _default(self, declared: ParameterWord, known: list[str]) -> Word | None:
        default = declared.default
        if default is not None and "$" in default.text:
            check_expression(default, known, self._findings)
        return default


def check_expression(
    word: Word, known: list[str], findings: Findings, row: str | None = None
) -> bool:
    """Whether an expression can be read and depends on nothing but `known` parameters."""
    try:
        names = parse_expression(word.text).parameters
    except ValueRefused as error:
        name = word.text.strip("${}")
        meant = [Fix(f"did you mean ${name}?", (Edit(word.span, f"${name}"),))]
        fixes = meant if name in known else ["an expression such as $maps*4"]
        findings.error(error.code, error.diagnostics[0].message, word.span, row, fixes=fixes)
        return False
    unknown = next((name for name in names if name not in known), None)
    if unknown is None:
        return True
    there = f"its parameters are {', '.join(known)}" if known else "it has none"
    best = closest(unknown, known)
    replaced = word.text.replace(f"${unknown}", f"${best}")
    fixes = [Fix(f"declare {unknown} behind the block's name, or write its value")]
    if best:
        fixes = [Fix(f"did you mean ${best}?", (Edit(word.span, replaced),))]
    message = f"the block has no parameter {shown(unknown)}: {there}"
    findings.error("E116", message, word.span, row, fixes=fixes)
    return False
