"""Words that depend on the parameters of a block: `$maps*4`, `1x$length`, `$stride==1`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol, TypeAlias, cast

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from cnndsl.errors import ValueRefused
from cnndsl.frontend.kept_grammar import parser_of
from cnndsl.ops.kinds import LARGEST_COUNT, parse_count, shown
from cnndsl.resources import resource

LarkTree: TypeAlias = "Tree[Token]"

# An expression is walked recursively, so its length bounds its depth.
LONGEST = 200

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
}


class ExpressionParser(Protocol):
    """What this file needs of lark."""

    def parse(self, text: str, /) -> LarkTree:
        """The tree of an expression. Raises `UnexpectedInput`."""
        ...


@dataclass(frozen=True, slots=True)
class Expression:
    """
    A word as it is written, to be evaluated with the values of parameters.

    A parameter alone is any word, and stands for it as it is. Numbers are whole; a comparison is
    `yes` or `no`.

    >>> parse_expression("($k)x$maps*4").evaluate({"k": "3", "maps": "64"})
    '3x256'
    >>> parse_expression("$stride==1").evaluate({"stride": "2"})
    'no'
    """

    text: str
    tree: LarkTree

    @property
    def parameters(self) -> list[str]:
        """The names of all parameters in it, in order."""
        tokens = self.tree.scan_values(lambda value: isinstance(value, Token))
        return [str(token)[1:] for token in tokens if token.type == "PARAMETER"]

    def evaluate(self, values: Mapping[str, str]) -> str:
        """What it says. Raises `ValueRefused`."""
        return "".join(str(self._value(part, values)) for part in self.tree.children)

    def _value(self, part: Token | LarkTree, values: Mapping[str, str]) -> str | int:
        if isinstance(part, Token):
            if part.type == "PARAMETER":
                return values[str(part)[1:]]
            return str(part)
        terms = [child for child in part.children if not _is_sign(child)]
        sign = next(str(child) for child in part.children if _is_sign(child))
        sides = [self._value(term, values) for term in terms]
        if sign in ("==", "!="):
            return "yes" if _same(*sides) == (sign == "==") else "no"
        numbers = [self._number(side) for side in sides]
        if len(numbers) == 1:
            return -numbers[0]
        if sign in _COMPARISONS:
            return "yes" if _COMPARISONS[sign](*numbers) else "no"
        if sign == "//" and numbers[1] == 0:
            raise ValueRefused(f"{shown(self.text)} divides by 0")
        result = _ARITHMETIC[sign](*numbers)
        if abs(result) > LARGEST_COUNT:
            raise ValueRefused(f"{shown(self.text)} is larger than {LARGEST_COUNT}")
        return result

    def _number(self, value: str | int) -> int:
        number = _as_number(value)
        if number is None:
            raise ValueRefused(f"{shown(str(value))} in {shown(self.text)} is no whole number")
        return number


def parse_expression(text: str) -> Expression:
    """Read an expression. Raises `ValueRefused`."""
    if len(text) > LONGEST:
        raise ValueRefused(f"{shown(text)} is longer than {LONGEST} characters")
    return _parse(text)


def is_true(text: str) -> bool:
    """What a condition says: yes, or a number other than 0. Raises `ValueRefused`."""
    number = _as_number(text)
    if number is None and text.lower() not in ("yes", "no"):
        raise ValueRefused(f"{shown(text)} is neither yes nor no nor a number")
    return text.lower() == "yes" if number is None else number != 0


@lru_cache(maxsize=1024)
def _parse(text: str) -> Expression:
    try:
        return Expression(text, _parser().parse(text))
    except UnexpectedInput as error:
        at = error.pos_in_stream
        rest = text[at:] if at is not None and 0 <= at < len(text) else ""
        where = f"{shown(rest)} cannot stand there" if rest else "it ends too early"
        raise ValueRefused(f"{shown(text)} cannot be read: {where}") from None


@cache
def _parser() -> ExpressionParser:
    grammar = resource("grammar", "expression.lark").read_text(encoding="utf-8")
    return cast(ExpressionParser, parser_of(grammar))


def _is_sign(child: Token | LarkTree) -> bool:
    signs = ("COMPARISON", "PLUS", "MINUS", "TIMES", "OVER")
    return isinstance(child, Token) and child.type in signs


def _same(left: str | int, right: str | int) -> bool:
    """Whether two values are the same number or the same word."""
    numbers = _as_number(left), _as_number(right)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return str(left).lower() == str(right).lower()


def _as_number(value: str | int) -> int | None:
    if isinstance(value, int):
        return value
    if re.fullmatch("-[0-9]{1,12}", value):
        return int(value)
    return parse_count(value)
