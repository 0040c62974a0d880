"""The words of a row that depend on the parameters of its block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cnndsl.frontend.row_types import Column
from cnndsl.frontend.syntax import Option, RowLine, Word


def with_expressions(
    line: RowLine, columns: tuple[Column, ...], value: Callable[[Word], Word]
) -> RowLine:
    """
    A row with `value` of each word that depends on parameters.

    Its name and its type do not, and what `from` names is left alone: a name is looked up where it
    was written.
    """

    def said(word: Word, name: str) -> Word:
        return value(word) if "$" in word.text and name != "from" else word

    names = [column.name or "" for column in columns]
    names += [""] * (len(line.cells) - 1 - len(names))
    cells = [said(word, name) for word, name in zip(line.cells[1:], names, strict=False)]
    options = [
        Option(option.key, said(option.value, option.key.text.lower())) for option in line.options
    ]
    return replace(line, cells=(*line.cells[:1], *cells), options=tuple(options))


def word_of(line: RowLine, columns: tuple[Column, ...], name: str) -> Word | None:
    """What a row says as an option or in a column of that name, if it says anything."""
    words = [option.value for option in line.options if option.key.text.lower() == name]
    words += [
        word for word, column in zip(line.cells[1:], columns, strict=False) if column.name == name
    ]
    return next((word for word in words if not word.is_dash), None)
