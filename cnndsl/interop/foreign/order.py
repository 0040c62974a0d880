"""
In which order a file's layers can have been written down.

An order only says what may come next. A file that lists its layers as somebody wrote them has one
answer each time. Where names were sorted, what is left of the order is in the names: the layers of
a module `layer1.0` stand together, and of siblings that differ in a number the smaller comes first;
of words nobody knows the order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Order(Protocol):
    """Layers by number, of which some have been taken."""

    def heads(self) -> Sequence[int]:
        """The layers that may come next."""
        ...

    def take(self, layer: int) -> None:
        """Take one of the heads."""
        ...

    def put_back(self, layer: int) -> None:
        """Take back the last take."""
        ...


class Listed:
    """The order of a list."""

    def __init__(self, layers: Sequence[int]) -> None:
        self._layers = layers
        self._count = 0

    def heads(self) -> Sequence[int]:
        return self._layers[self._count : self._count + 1]

    def take(self, layer: int) -> None:
        self._count += 1

    def put_back(self, layer: int) -> None:
        self._count -= 1


@dataclass(slots=True)
class _Module:
    """A part of the names' tree. `number` is that of a layer, which has no parts."""

    name: str
    number: int | None = None
    parts: list[_Module] = field(default_factory=list["_Module"])
    before: list[_Module] = field(default_factory=list["_Module"])
    """Siblings that come first."""
    size: int = 0
    taken: int = 0

    @property
    def done(self) -> bool:
        return self.taken == self.size


class Named:
    """
    The order that is in the layers' names.

    >>> order = Named({0: "bn1", 1: "conv1", 2: "layer.0.conv1", 3: "layer.0.conv2"})
    >>> sorted(order.heads())
    [0, 1, 2]
    >>> order.take(2)
    >>> order.heads()
    [3]
    """

    def __init__(self, names: dict[int, str]) -> None:
        self._root = _Module("")
        self._ways: dict[int, list[_Module]] = {}
        for number, name in names.items():
            self._ways[number] = self._add(number, re.split("[./]", name))
        _order_parts(self._root)

    def _add(self, number: int, words: Sequence[str]) -> list[_Module]:
        way = [self._root]
        for word in words:
            part = next((p for p in way[-1].parts if p.name == word and p.number is None), None)
            if part is None:
                part = _Module(word)
                way[-1].parts.append(part)
            way.append(part)
        # A layer may have the name of a module: it is a part of it then.
        if way[-1].parts:
            way.append(_Module("", number))
            way[-2].parts.append(way[-1])
        else:
            way[-1].number = number
        for module in way:
            module.size += 1
        return way

    def heads(self) -> Sequence[int]:
        found: list[int] = []
        _collect(self._root, found)
        return found

    def take(self, layer: int) -> None:
        for module in self._ways[layer]:
            module.taken += 1

    def put_back(self, layer: int) -> None:
        for module in self._ways[layer]:
            module.taken -= 1


def _collect(module: _Module, found: list[int]) -> None:
    if module.number is not None and not module.parts:
        found.append(module.number)
        return
    begun = [part for part in module.parts if part.taken and not part.done]
    for part in begun or module.parts:
        if not part.done and all(sibling.done for sibling in part.before):
            _collect(part, found)


def _order_parts(module: _Module) -> None:
    for part in module.parts:
        part.before = [p for p in module.parts if p is not part and precedes(p.name, part.name)]
        _order_parts(part)


def precedes(name: str, other: str) -> bool:
    """
    Whether names differ first in what people count with, and this one's is smaller or missing.

    >>> precedes("layer2", "layer10"), precedes("res2a", "res2b"), precedes("conv2d", "conv2d_1")
    (True, True, True)
    >>> precedes("bn1", "conv2"), precedes("c3", "s2")
    (False, False)
    """
    for place, (part, another) in enumerate(zip(tokens(name), tokens(other), strict=False)):
        if part != another:
            if part.isdigit() and another.isdigit():
                return int(part) < int(another)
            # A letter counts behind something: a name that begins with one is short for a word.
            return place > 0 and _letter(part) and _letter(another) and part < another
    rest = tokens(other)[len(tokens(name)) :]
    return bool(rest) and rest[0].isdigit()


def _letter(part: str) -> bool:
    return len(part) == 1 and part.isalpha()


def tokens(name: str) -> list[str]:
    """
    The words and numbers of a name.

    >>> tokens("Conv2d_1a_3x3.bn")
    ['conv', '2', 'd', '1', 'a', '3', 'x', '3', 'bn']
    """
    return re.findall(r"[0-9]+|[^\W\d_]+", name.lower())


def shared_beginning(name: str, other: str) -> int:
    """
    How many words and numbers two names have in common at their beginning.

    >>> shared_beginning("layer1.0.conv3", "layer1.0.bn3")
    3
    """
    return _shared(tokens(name), tokens(other))


def shared_ending(name: str, other: str) -> int:
    """
    How many words and numbers two names have in common at their end.

    >>> shared_ending("layer1.0.conv3", "layer2.0.conv3")
    3
    """
    return _shared(tokens(name)[::-1], tokens(other)[::-1])


def difference(name: str, other: str) -> int:
    """
    How many words and numbers only one of two names has.

    >>> difference("branch7x7_1", "branch7x7_2"), difference("branch7x7dbl_1", "branch7x7_2")
    (2, 3)
    """
    return len(set(tokens(name)) ^ set(tokens(other)))


def _shared(words: Sequence[str], others: Sequence[str]) -> int:
    pairs = zip(words, others, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(words), len(others)))
