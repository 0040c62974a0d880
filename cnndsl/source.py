"""Where a piece of a network came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category, combining, east_asian_width

# What `underlined` shows of a line, and how much of that before the span.
_LONGEST_SHOWN, _CONTEXT = 200, 60
_CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class Source:
    """
    One text and the name to call it by.

    `folder` is where it stands, and with it what it includes; None for a text that is no file.
    """

    name: str
    text: str = field(repr=False)
    folder: Path | None = field(default=None, repr=False, compare=False)

    def line(self, number: int) -> str:
        """Line `number`, counted from 1, without its line break."""
        return self.text.split("\n")[number - 1].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line that the span starts in, counted from 1."""
        return self.source.text.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        """The column that the span starts at, counted from 1."""
        return self.start - self.source.text.rfind("\n", 0, self.start)

    @property
    def text(self) -> str:
        """What the span covers."""
        return self.source.text[self.start : self.end]

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def underlined(self) -> str:
        """
        The first line of the span, with carets under the part that it covers, unless it is blank.

        Of a long line only the part around the span is shown, and controls are shown as `\ufffd`:
        they could make a terminal show anything.
        """
        first = self.source.text.rfind("\n", 0, self.start) + 1
        line = self.source.text[first:].partition("\n")[0].rstrip("\r")
        if not line.strip():
            return ""
        column = self.start - first
        cut = max(0, min(column - _CONTEXT, len(line) - _LONGEST_SHOWN))
        shown = "".join(map(_harmless, line[cut : cut + _LONGEST_SHOWN]))
        before = shown[: column - cut]
        width = max(1, min(self.end - self.start, len(shown) - len(before)))
        # A tab stays a tab, so that the carets stand under their text in any terminal.
        indent = "".join("\t" if c == "\t" else " " * text_cells(c) for c in before)
        carets = "^" * text_cells(shown[len(before) :][:width] or " ")
        more = "..." if cut else ""
        rest = "..." if cut + _LONGEST_SHOWN < len(line) else ""
        return f"  {more}{shown}{rest}\n  {' ' * len(more)}{indent}{carets}"


def _harmless(character: str) -> str:
    """A character as it may be shown."""
    return "\ufffd" if character != "\t" and category(character) in _CONTROLS else character


def text_cells(text: str) -> int:
    """
    Terminal cells that a text takes: two for each East Asian wide character.

    >>> text_cells("C1"), text_cells("합성곱")
    (2, 6)
    """
    if text.isascii():
        return len(text)
    wide = sum(east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(combining(character) > 0 for character in text)
