"""A Darknet `.cfg`: sections `[convolutional]` with options `filters=32`, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cnndsl.errors import CnnError, Diagnostic
from cnndsl.source import Source, Span

_SHOWN = 40
"""Characters of an option that an error repeats."""


class DarknetError(CnnError):
    """A Darknet file that cannot be read, or what no row can say of it."""

    default_code = "E806"


@dataclass(frozen=True, slots=True)
class Option:
    """What stands behind the equals sign, and where the line is."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Section:
    """
    One section. Options that are asked for are noted, so that the others can be named.

    Its methods raise `DarknetError` at the option.
    """

    kind: str
    span: Span
    options: Mapping[str, Option]
    asked: set[str] = field(default_factory=set[str])

    def integer(self, name: str, missing: int) -> int:
        """A whole number, or `missing` where there is no such option."""
        text = self.text(name, "")
        if name not in self.options:
            return missing
        try:
            return int(text)
        except ValueError:
            raise self._refuse(name, "a whole number") from None

    def positive(self, name: str, missing: int) -> int:
        """A whole number from 1 on, or `missing`."""
        number = self.integer(name, missing)
        if number < 1:
            raise self._refuse(name, "a whole number from 1 on")
        return number

    def number(self, name: str, missing: float) -> float:
        """A number, or `missing` where there is no such option."""
        text = self.text(name, "")
        if name not in self.options:
            return missing
        try:
            return float(text)
        except ValueError:
            raise self._refuse(name, "a number") from None

    def integers(self, name: str) -> list[int]:
        """Whole numbers separated by commas."""
        try:
            return [int(part) for part in self.text(name, "").split(",") if part.strip()]
        except ValueError:
            raise self._refuse(name, "whole numbers separated by commas") from None

    def text(self, name: str, missing: str) -> str:
        """What stands behind the option, or `missing`."""
        self.asked.add(name)
        return self.options[name].text if name in self.options else missing

    def error(self, message: str) -> DarknetError:
        """An error of the whole section."""
        return DarknetError(f"[{self.kind}]: {message}", span=self.span)

    def unread(self, ignored: frozenset[str]) -> list[Diagnostic]:
        """A finding for each option that nobody has asked for and that is not known to be idle."""
        return [
            Diagnostic("E806", f"[{self.kind}]: no row has {name}={option.text}", option.span)
            for name, option in self.options.items()
            if name not in self.asked and name not in ignored
        ]

    def _refuse(self, name: str, wanted: str) -> DarknetError:
        option = self.options[name]
        return DarknetError(
            f"[{self.kind}]: {name}={option.text[:_SHOWN]} is not {wanted}", span=option.span
        )


def parse_cfg(source: Source) -> list[Section]:
    """
    The sections of a text. Raises `DarknetError` with a finding for each line that is none.

    >>> text = "[net]\\nwidth=8 # pixels\\n[convolutional]\\nfilters = 4\\n"
    >>> [(s.kind, s.integer("width", 0)) for s in parse_cfg(Source("a.cfg", text))]
    [('net', 8), ('convolutional', 0)]
    """
    sections: list[tuple[str, Span, dict[str, Option]]] = []
    findings: list[Diagnostic] = []
    start = 0
    for line in source.text.split("\n"):
        # Some editors begin a file with a byte order mark.
        words = line.partition("#")[0].partition(";")[0].strip().removeprefix("\ufeff")
        begin = start + len(line) - len(line.lstrip())
        span = Span(source, begin, begin + max(1, len(words)))
        start += len(line) + 1
        name, equals, text = (part.strip() for part in words.partition("="))
        if not words:
            continue
        if words.startswith("[") and words.endswith("]"):
            sections.append((words[1:-1].strip().lower(), span, {}))
        elif equals and name and sections:
            sections[-1][2][name] = Option(text, span)
        else:
            findings.append(
                Diagnostic("E806", f"neither [section] nor option=value: {words}", span)
            )
    if findings:
        raise DarknetError.of(findings)
    if not sections or sections[0][0] not in ("net", "network"):
        raise DarknetError(f"{source.name} is no Darknet network: it does not begin with [net]")
    return [Section(*section) for section in sections]
