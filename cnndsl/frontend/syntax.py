"""A `.cnn` text as lines of words, before any word has a meaning. Each word knows its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cnndsl.source import Source, Span

NOT_APPLICABLE = "-"
INFER = "?"

Keyword: TypeAlias = Literal["version", "network", "outputs", "header", "include", "end"]


BLANKS = " \t\u00a0\u3000"
_COMMENT_SIGNS = ("//", "/*", ";", "--", "%", "'")


def comment_sign(text: str) -> str:
    """What begins a comment in another language and begins this text, or nothing."""
    return next((sign for sign in _COMMENT_SIGNS if text.startswith(sign)), "")


@dataclass(frozen=True, slots=True)
class Word:
    """
    A word. `text` is what it says: without quotation marks, and `-` for any single dash.

    What a `pending` word says is not known: it depends on the parameters of a block.
    """

    text: str
    span: Span
    pending: bool = False

    @property
    def is_dash(self) -> bool:
        """Whether it says that a column does not apply."""
        return self.text == NOT_APPLICABLE

    @property
    def is_question(self) -> bool:
        """Whether it asks for the inferred value."""
        return self.text == INFER


@dataclass(frozen=True, slots=True)
class Option:
    """`key=value`."""

    key: Word
    value: Word


@dataclass(frozen=True, slots=True)
class BlankLine:
    """Nothing, or a comment only."""

    span: Span
    comment: Word | None = None


@dataclass(frozen=True, slots=True)
class KeywordLine:
    """
    `cnn 1`, `network AlexNet`, `outputs box1, box2`, `include FILE`, `end`, or the header
    `layer type maps ...`.

    `words` follow the keyword.
    """

    span: Span
    kind: Keyword
    keyword: Word
    words: tuple[Word, ...]
    comment: Word | None = None


@dataclass(frozen=True, slots=True)
class ParameterWord:
    """A parameter of a block as it is declared."""

    name: Word
    default: Word | None = None


@dataclass(frozen=True, slots=True)
class BlockLine:
    """`block Bottleneck(maps, stride=1)`."""

    span: Span
    keyword: Word
    name: Word
    parameters: tuple[ParameterWord, ...] = ()
    comment: Word | None = None


@dataclass(frozen=True, slots=True)
class RowLine:
    """A layer: its name, the cells behind it (the type is the first), and its options."""

    span: Span
    name: Word
    cells: tuple[Word, ...]
    options: tuple[Option, ...] = ()
    comment: Word | None = None


@dataclass(frozen=True, slots=True)
class OptionsLine:
    """A line that begins with an option: its options belong to the row above."""

    span: Span
    options: tuple[Option, ...]
    comment: Word | None = None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be read. `first` is its first word, the name if it was to be a row."""

    span: Span
    first: str


TableRow: TypeAlias = RowLine | BadLine
Line: TypeAlias = BlankLine | KeywordLine | BlockLine | RowLine | OptionsLine | BadLine


@dataclass(frozen=True, slots=True)
class Document:
    """All lines of a text, in order. A line's span is the whole line, without its line break."""

    source: Source
    lines: tuple[Line, ...]
