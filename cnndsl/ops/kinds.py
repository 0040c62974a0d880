"""
What may stand in a cell or an option: kinds of values, each with its reading and its writing.

A kind knows no operator. Those that only one operator has stand beside it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnndsl.errors import ValueRefused

Pair = tuple[int, int]

# Python integers have no limit; a table's numbers do, so that arithmetic on them stays cheap.
LARGEST_COUNT = 10**9

_DIGITS = re.compile("[0-9]+")
# How papers say both in one: 64@28x28, and 28x28x64.
_MAPS_AT_SIZE = re.compile(r"\d{1,9}@\d{1,9}[xX×]\d{1,9}")
_SIZE_AND_MAPS = re.compile(r"\d{1,9}[xX×]\d{1,9}[xX×]\d{1,9}")
_THOUSANDS = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+")
_ROUNDED = re.compile(r"[0-9.]+ ?[kKmMgG]")
_TWO_NUMBERS = re.compile(r"[(\[]?(-?[0-9.]+?)(?:-|–|:|,|to)(-?[0-9.]+)[)\]]?")

# A refused text is shown up to here: a line of a message, not a page.
LONGEST_SHOWN = 60


class Kind(ABC):
    """A set of values and how a text says them."""

    @property
    @abstractmethod
    def expects(self) -> str:
        """What its texts are, after "is not": "a number such as 0.75"."""

    @abstractmethod
    def parse(self, text: str) -> Any:
        """The value that `text` says. Raises `ValueRefused`."""

    def format(self, value: Any) -> str:
        """The canonical text of `value`: `parse(format(v)) == v`."""
        return str(value)

    def choices(self) -> Sequence[str]:
        """The words that may be said, where they can be listed."""
        return ()

    def meant(self, text: str) -> Sequence[str]:
        """
        What a refused text was probably meant to be, the likeliest first.

        Whoever offers one tries it first: not each need be a value.
        """
        return ()

    def advice(self, text: str) -> str:
        """What to write for a refused text that was near no value."""
        return f"write {self.expects}"

    def refuse(self, text: str, reason: str = "") -> ValueRefused:
        """The error for a text that is none of the values, or for one of them by `reason`."""
        if reason:
            return ValueRefused(f"{shown(text)} will not do: {reason}")
        return ValueRefused(f"{shown(text)} is not {self.expects}")


def shown(text: str) -> str:
    """
    A text in quotes, its end left out where it is long, for a message of one line.

    >>> shown("same"), len(shown("9" * 1000)) < 70
    ("'same'", True)
    """
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


def numbers_in(text: str) -> list[str]:
    """
    The numbers in a text of anything else, in plain digits.

    >>> numbers_in("(5, 5)"), numbers_in("24px"), numbers_in("５✕５"), numbers_in("-1.0")
    (['5', '5'], ['24'], ['5', '5'], ['-1.0'])
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST_SHOWN])
    return re.findall(r"-?[0-9]+(?:\.[0-9]+)?", plain)


def whole_numbers(text: str) -> list[list[str]]:
    """
    The numbers in a text, in plain digits, and where one is a fraction both ways to round it.

    >>> whole_numbers("5.5x5"), whole_numbers("24px"), whole_numbers("6.0")
    ([['5', '5'], ['6', '5']], [['24']], [['6']])
    """
    numbers = [number.removesuffix(".0") for number in numbers_in(text)]
    ways = (math.floor, math.ceil) if any("." in number for number in numbers) else (int,)
    return [[str(way(float(x))) if "." in x else x for x in numbers] for way in ways]


def parse_count(text: str) -> int | None:
    """
    A whole number, with or without commas between thousands, or None.

    >>> parse_count("1,000"), parse_count("96"), parse_count("1,00")
    (1000, 96, None)
    """
    if re.fullmatch(r"[0-9]{1,12}|[0-9]{1,3}(,[0-9]{3}){1,3}", text):
        return int(text.replace(",", ""))
    return None


@dataclass(frozen=True)
class Count(Kind):
    """A whole number."""

    least: int = 1

    @property
    def expects(self) -> str:
        return "a positive whole number" if self.least == 1 else "a whole number"

    def parse(self, text: str) -> int:
        value = parse_count(text)
        if value is None and not _DIGITS.fullmatch(text):
            raise self.refuse(text)
        if value is None or not self.least <= value <= LARGEST_COUNT:
            raise self.refuse(text, f"it must lie in {self.least}..{LARGEST_COUNT}")
        return value

    def meant(self, text: str) -> Sequence[str]:
        if _ROUNDED.fullmatch(text):
            return ()  # of 62M only whoever counted knows the rest
        if _THOUSANDS.fullmatch(text):
            return [text.replace(".", "")]
        if _MAPS_AT_SIZE.fullmatch(text):
            return numbers_in(text)[:1]
        return [numbers[0] for numbers in whole_numbers(text) if len(numbers) == 1]

    def advice(self, text: str) -> str:
        return f"write a whole number from {self.least} on, such as 16"


@dataclass(frozen=True)
class Extent(Kind):
    """
    Height and width, `3x5`; a single number stands for both.

    >>> Extent().parse("3x5"), Extent().parse("11"), Extent().format((2, 2))
    ((3, 5), (11, 11), '2x2')
    """

    least: int = 1

    @property
    def expects(self) -> str:
        return "a height and width such as 3x3"

    def parse(self, text: str) -> Pair:
        parts = [parse_count(part) for part in re.split("[xX×]", text)]
        if len(parts) == 1:
            parts = parts * 2
        height, width = parts if len(parts) == 2 else (None, None)
        if height is None or width is None:
            raise self.refuse(text)
        if not all(self.least <= side <= LARGEST_COUNT for side in (height, width)):
            raise self.refuse(text, f"each side must lie in {self.least}..{LARGEST_COUNT}")
        return height, width

    def meant(self, text: str) -> Sequence[str]:
        found = whole_numbers(text)
        numbers = found[0]
        if _MAPS_AT_SIZE.fullmatch(text):
            found = [numbers[1:]]
        elif _SIZE_AND_MAPS.fullmatch(text):
            maps_first = numbers[0] != numbers[1] == numbers[2]  # PyTorch's order: 3x32x32
            found = [numbers[1:] if maps_first else numbers[:2]]
        return ["x".join(x) for x in found if len(x) in (1, 2) and "/" not in text]

    def advice(self, text: str) -> str:
        return f"write whole numbers from {self.least} on, height x width, such as 3x3"

    def format(self, value: Pair) -> str:
        return f"{value[0]}x{value[1]}"


@dataclass(frozen=True)
class Step(Extent):
    """An extent that is written as one number where both sides agree: a stride, a dilation."""

    @property
    def expects(self) -> str:
        return "a step such as 2 or 2x1 (height x width)"

    def meant(self, text: str) -> Sequence[str]:
        return ["1"] if text in ("0", "-1") else super().meant(text)

    def advice(self, text: str) -> str:
        return f"write a whole number from {self.least} on, such as 2"

    def format(self, value: Pair) -> str:
        return str(value[0]) if value[0] == value[1] else f"{value[0]}x{value[1]}"


@dataclass(frozen=True)
class Number(Kind):
    """A finite decimal number, greater than `above`, at least `least` and less than `below`."""

    above: float = -math.inf
    least: float = -math.inf
    below: float = math.inf

    @property
    def expects(self) -> str:
        return "a number such as 0.75 or 2e-5"

    def parse(self, text: str) -> float:
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
            raise self.refuse(text)
        value = float(text)
        if not math.isfinite(value):
            raise self.refuse(text, "it is too large")
        if value <= self.above:
            raise self.refuse(text, f"it must be greater than {self.above:g}")
        if not self.least <= value < self.below:
            raise self.refuse(text, f"it must lie in {self.least:g} <= value < {self.below:g}")
        return value

    def meant(self, text: str) -> Sequence[str]:
        numbers = numbers_in(text)
        if len(numbers) != 1:
            return ()
        percent = f"{float(numbers[0]) / 100:g}"
        if self.below == 1.0 and text.isdecimal():  # a share of one that is written in percent
            return [percent] if 1 < int(text) < 100 else ()
        return [percent if text.endswith("%") else numbers[0]]

    def advice(self, text: str) -> str:
        words = [
            f"greater than {self.above:g}" * (self.above > -math.inf),
            f"at least {self.least:g}" * (self.least > -math.inf),
            f"below {self.below:g}" * (self.below < math.inf),
        ]
        bounds = " and ".join(filter(None, words))
        return f"write a number {bounds}" if bounds else super().advice(text)

    def format(self, value: float) -> str:
        return repr(int(value)) if value == int(value) and abs(value) < 1e6 else repr(value)


@dataclass(frozen=True)
class Numbers(Kind):
    """Numbers separated by commas, one a map or one for all: `0.485,0.456,0.406`."""

    positive: bool = False

    @property
    def expects(self) -> str:
        return "numbers separated by commas such as 0.485,0.456,0.406"

    def parse(self, text: str) -> tuple[float, ...]:
        number = Number(above=0.0) if self.positive else Number()
        return tuple(number.parse(part) for part in text.split(","))

    def meant(self, text: str) -> Sequence[str]:
        numbers = numbers_in(text)
        whole = len(text) <= LONGEST_SHOWN and len(numbers) > 1
        return [",".join(numbers)] if whole else ()

    def format(self, value: tuple[float, ...]) -> str:
        return ",".join(Number().format(v) for v in value)


@dataclass(frozen=True)
class Range(Kind):
    """
    A lowest and a highest value, `0..1`.

    >>> Range().parse("-1..1"), Range().format((0.0, 255.0))
    ((-1.0, 1.0), '0..255')
    """

    @property
    def expects(self) -> str:
        return "a range such as 0..1"

    def parse(self, text: str) -> tuple[float, float]:
        low, dots, high = text.partition("..")
        if not dots:
            raise self.refuse(text)
        pair = Number().parse(low), Number().parse(high)
        if pair[0] >= pair[1]:
            raise self.refuse(text, "the first number must be the smaller one")
        return pair

    def meant(self, text: str) -> Sequence[str]:
        pair = _TWO_NUMBERS.fullmatch(text.replace(" ", "")[:LONGEST_SHOWN])
        return [f"{pair[1]}..{pair[2]}"] if pair else ()

    def format(self, value: tuple[float, float]) -> str:
        return "..".join(Number().format(v) for v in value)


@dataclass(frozen=True)
class Choice(Kind):
    """One word of several. Spellings in `also` are accepted and stand for one of them."""

    words: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()

    @property
    def expects(self) -> str:
        return f"one of {', '.join(self.words)}"

    def parse(self, text: str) -> str:
        word = dict(self.also).get(text.lower(), text.lower())
        if word not in self.words:
            raise self.refuse(text)
        return word

    def choices(self) -> Sequence[str]:
        return self.words


@dataclass(frozen=True)
class Flag(Kind):
    """Yes or no."""

    @property
    def expects(self) -> str:
        return "yes or no"

    def parse(self, text: str) -> bool:
        if text.lower() not in ("yes", "no"):
            raise self.refuse(text)
        return text.lower() == "yes"

    def format(self, value: bool) -> str:
        return "yes" if value else "no"

    def choices(self) -> Sequence[str]:
        return ("yes", "no")


@dataclass(frozen=True)
class Text(Kind):
    """Any text, such as the path of a file."""

    @property
    def expects(self) -> str:
        return "a text"

    def parse(self, text: str) -> str:
        if not text:
            raise self.refuse(text, "it is empty")
        return text
