"""Connection tables: which input maps each output map of a convolution reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnndsl.ops.kinds import Kind, parse_count, shown

Connections = tuple[tuple[int, ...], ...]
"""For each output map the input maps it reads, increasing. Empty: every map reads all."""

# A short text can name many maps, so a table is bounded while it is read.
MOST_LINKS = 10**5


class ConnectionsKind(Kind):
    """
    Output maps separated by commas, each a `+` of input maps or ranges, counted from 0.

    >>> ConnectionsKind().parse("0-2,0+3-4")
    ((0, 1, 2), (0, 3, 4))
    >>> ConnectionsKind().format(((0, 1, 2), (0, 3, 4), (1, 3)))
    '0-2,0+3-4,1+3'
    """

    @property
    def expects(self) -> str:
        return "a connection table such as 0-2,1-3,0+4-5"

    def parse(self, text: str) -> Connections:
        connections: list[tuple[int, ...]] = []
        room = MOST_LINKS
        for part in text.split(","):
            connections.append(self._links(text, part, room))
            room -= len(connections[-1])
        return tuple(connections)

    def format(self, value: Connections) -> str:
        return ",".join("+".join(_runs(links)) for links in value)

    def _links(self, text: str, part: str, room: int) -> tuple[int, ...]:
        links: list[int] = []
        for run in part.split("+"):
            first, dash, last = run.partition("-")
            low, high = parse_count(first), parse_count(last if dash else first)
            if low is None or high is None or low > high:
                raise self.refuse(text, f"{shown(run)} names no maps")
            if links and low <= links[-1]:
                raise self.refuse(text, f"the maps of {shown(part)} must increase")
            if len(links) + high - low + 1 > room:
                raise self.refuse(text, f"it has more than {MOST_LINKS:,} links")
            links += range(low, high + 1)
        return tuple(links)


def count_links(connections: Connections) -> int:
    """Pairs of an output map and an input map that it reads."""
    return sum(map(len, connections))


def connection_mask(connections: Connections, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """
    Of a weight's shape `[out, in, ...]`, true where the output map reads the input map.

    >>> connection_mask(((0, 1), (2,)), (2, 3)).astype(int).tolist()
    [[1, 1, 0], [0, 0, 1]]
    """
    mask = np.zeros(shape, np.bool_)
    for o, links in enumerate(connections):
        mask[o, list(links)] = True
    return mask


def _runs(links: tuple[int, ...]) -> Iterator[str]:
    start = 0
    for end in range(1, len(links) + 1):
        if end == len(links) or links[end] != links[end - 1] + 1:
            low, high = links[start], links[end - 1]
            yield str(low) if low == high else f"{low}-{high}"
            start = end
