"""A text that is something else than a `.cnn` table: one error says what it is, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnndsl.errors import SpecError
from cnndsl.source import Source, Span

# What a table pasted behind the first lines of a `.cnn` text may stand behind.
_OURS = re.compile(r"(cnn|network)\s|#", re.IGNORECASE)
_PYTHON = re.compile(r"(import \w|from [\w.]+ import |class \w+.*:$|def \w+\(|\w+ = \w+(\.\w+)*\()")
_FEWEST_CELLS = 3


@dataclass(frozen=True, slots=True)
class _Kind:
    """Another kind of text: how it is known by its lines, and what makes a table of it."""

    name: str
    is_seen: Callable[[Sequence[str]], bool]
    fix: str


def _is_markdown(lines: Sequence[str]) -> bool:
    return len(lines) > 1 and all(line.startswith("|") for line in lines)


def _is_in_conflict(lines: Sequence[str]) -> bool:
    return any(line.startswith("<<<<<<< ") for line in lines)


def _is_separated(mark: str) -> Callable[[Sequence[str]], bool]:
    """Whether all lines have cells between marks, and the first is no header of ours."""

    def is_seen(lines: Sequence[str]) -> bool:
        first, *rest = lines
        ours = first.lower().split()[:2] == ["layer", "type"]
        fewest = _FEWEST_CELLS - 1
        return not ours and bool(rest) and all(line.count(mark) >= fewest for line in lines)

    return is_seen


def _is_python(lines: Sequence[str]) -> bool:
    return _PYTHON.match(lines[0]) is not None


def _begins_with(*beginnings: str) -> Callable[[Sequence[str]], bool]:
    return lambda lines: lines[0].lower().startswith(beginnings)


_IMPORT_TABLE = "cnndsl import table {name} writes it as a .cnn text"
_IMPORT_ONNX = "cnndsl import onnx MODEL.onnx reads a model that its framework has exported"
_KINDS = (
    _Kind("a merge in conflict", _is_in_conflict, "one text in the place of each conflict's two"),
    _Kind("a PDF", _begins_with("%pdf-"), "the table alone, copied as text"),
    _Kind("a Markdown table", _is_markdown, _IMPORT_TABLE),
    _Kind("a table of tabs", _is_separated("\t"), _IMPORT_TABLE),
    _Kind("CSV", _is_separated(","), _IMPORT_TABLE),
    _Kind("CSV with semicolons", _is_separated(";"), _IMPORT_TABLE),
    _Kind("Darknet's", _begins_with("[net]", "[network]"), "cnndsl import darknet {name}"),
    _Kind("Python", _is_python, _IMPORT_ONNX),
    _Kind("JSON", _begins_with("{", "["), _IMPORT_ONNX),
    _Kind("HTML or XML", _begins_with("<"), "the table alone, copied as text"),
)


def refuse_foreign_text(source: Source) -> None:
    """Raise `SpecError` where the text is known to be something else as a whole."""
    if "\n" not in source.text and "\r" in source.text.strip():  # all of it would be one line
        start = source.text.index("\r")
        raise SpecError(
            "a carriage return that ends no line",
            span=Span(source, start, start + 1),
            fixes=["save the text with line ends LF or CRLF"],
        )
    lines = [line.strip(" \r\ufeff") for line in source.text.split("\n")]
    theirs = [(number, line) for number, line in enumerate(lines) if line and not _OURS.match(line)]
    if not theirs:
        return
    for kind in _KINDS:
        if not kind.is_seen([line for _, line in theirs]):
            continue
        start = sum(len(line) + 1 for line in source.text.split("\n")[: theirs[0][0]])
        raise SpecError(
            f"this text is {kind.name}, and no .cnn table",
            span=Span(source, start, start + len(source.line(theirs[0][0] + 1))),
            fixes=[kind.fix.format(name=_file(source))],
        )


def _file(source: Source) -> str:
    return "FILE" if source.name.startswith("<") else source.name
