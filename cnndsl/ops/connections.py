"""Connection tables: which input maps each output map of a convolution reads."""

from __future__ import annotations

from collections.abc import Iterator

from cnndsl.ops.attributes import Kind, parse_count

Connections = tuple[tuple[int, ...], ...]
"""For each output map the input maps it reads, increasing. Empty: every map reads all."""


class ConnectionsKind(Kind):
    """
    Output maps separated by commas, each a `+` of input maps or ranges, counted from 0.

    >>> ConnectionsKind().parse("0-2,0+3-4")
    ((0, 1, 2), (0, 3, 4))
    >>> ConnectionsKind().format(((0, 1, 2), (0, 3, 4), (1, 3)))
    '0-2,0+3-4,1+3'
    """

    expects = "a connection table such as 0-2,1-3,0+4-5"

    def parse(self, text: str) -> Connections:
        return tuple(self._links(text, part) for part in text.split(","))

    def format(self, value: Connections) -> str:
        return ",".join("+".join(_runs(links)) for links in value)

    def _links(self, text: str, part: str) -> tuple[int, ...]:
        links: list[int] = []
        for run in part.split("+"):
            first, dash, last = run.partition("-")
            low, high = parse_count(first), parse_count(last if dash else first)
            if low is None or high is None or not low <= high <= 10**5:
                raise self.refuse(text, f"{run!r} names no maps")
            links += range(low, high + 1)
        if links != sorted(set(links)):
            raise self.refuse(text, f"the maps of {part!r} must increase")
        return tuple(links)


def count_links(connections: Connections) -> int:
    """Pairs of an output map and an input map that it reads."""
    return sum(map(len, connections))


def _runs(links: tuple[int, ...]) -> Iterator[str]:
    start = 0
    for end in range(1, len(links) + 1):
        if end == len(links) or links[end] != links[end - 1] + 1:
            low, high = links[start], links[end - 1]
            yield str(low) if low == high else f"{low}-{high}"
            start = end
