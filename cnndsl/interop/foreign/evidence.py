"""
Which of two pairings is meant, where both are possible.

Other uses of the same block, where shapes leave no choice, show what the block's rows are called in
the file: that decides by itself. Else three witnesses are heard, which must not contradict each
other. Names of a row and its layer may share words and numbers. Layers that follow each other may
have names alike. And a file whose layers stand in the table's order wherever that can
be told, does so where it cannot be told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TypeAlias

from cnndsl.interop.foreign.layers import Layer
from cnndsl.interop.foreign.order import difference, shared_beginning, shared_ending, tokens
from cnndsl.interop.foreign.search import Pairing
from cnndsl.interop.foreign.units import Unit

Score: TypeAlias = tuple[int, ...]
"""What a witness says for a pairing: the larger, the better."""
_Witness: TypeAlias = Callable[[Pairing, Sequence[int]], Score]


@dataclass(frozen=True)
class Verdict:
    """1 for the first of two pairings, -1 for the second, 0 where nothing decides."""

    side: int
    reason: str = ""


@dataclass(frozen=True)
class Evidence:
    """
    What is known besides shapes.

    `sure` are the pairs that no alternative changes. `listed`: the layers' order is somebody's.
    """

    units: Sequence[Unit]
    layers: Sequence[Layer]
    sure: Pairing
    listed: bool

    def judge(self, one: Pairing, other: Pairing) -> Verdict:
        """Which of two pairings is meant."""
        differing = sorted(unit for unit in one if one[unit] != other[unit])
        blocks = _sign(self._by_blocks(one, differing), self._by_blocks(other, differing))
        if blocks:
            return Verdict(blocks, "as in other blocks")
        witnesses: list[tuple[str, _Witness]] = [
            ("by name", self._by_names),
            ("by neighbours", self._by_neighbours),
            ("by order", self._by_order),
        ]
        said = [
            Verdict(_sign(witness(one, differing), witness(other, differing)), reason)
            for reason, witness in witnesses
        ]
        said = [verdict for verdict in said if verdict.side]
        return said[0] if len({verdict.side for verdict in said}) == 1 else Verdict(0)

    def _by_blocks(self, pairing: Pairing, differing: Sequence[int]) -> Score:
        """How much of their layers' names units have in common with those of the same role."""
        score = 0
        for unit in differing:
            name = self.layers[pairing[unit]].name
            alike = self._sure_roles.get(self.units[unit].role, ())
            score += max((shared_ending(name, other) for other in alike), default=0)
        return (score,)

    @cached_property
    def _sure_roles(self) -> Mapping[tuple[str, str], list[str]]:
        roles: dict[tuple[str, str], list[str]] = {}
        for unit, layer in self.sure.items():
            roles.setdefault(self.units[unit].role, []).append(self.layers[layer].name)
        return roles

    def _by_names(self, pairing: Pairing, differing: Sequence[int]) -> Score:
        """How many words rows and their layers have in common, of those that tell them apart."""
        ours = [Counter(tokens(self.units[unit].name)) for unit in differing]
        theirs = [Counter(tokens(self.layers[pairing[unit]].name)) for unit in differing]
        everywhere = reduce(Counter[str].__and__, ours), reduce(Counter[str].__and__, theirs)
        pairs = zip(ours, theirs, strict=True)
        return (sum(((a - everywhere[0]) & (b - everywhere[1])).total() for a, b in pairs),)

    def _by_neighbours(self, pairing: Pairing, differing: Sequence[int]) -> Score:
        """
        How far the names of layers are those of layers before or behind them that are sure.

        First how much they have in common at their beginning, then how little they differ behind.
        """
        alike = differ = 0
        for unit in differing:
            name = self.layers[pairing[unit]].name
            others = [
                self.layers[pairing[n]].name for n in self._neighbours[unit] if n in self.sure
            ]
            best = max(
                ((shared_beginning(name, o), -difference(name, o)) for o in others), default=(0, 0)
            )
            alike, differ = alike + best[0], differ + best[1]
        return alike, differ

    @cached_property
    def _neighbours(self) -> Sequence[AbstractSet[int]]:
        """The units directly before and behind each."""
        found = [set(unit.after) for unit in self.units]
        for number, unit in enumerate(self.units):
            for earlier in unit.after:
                found[earlier].add(number)
        return found

    def _by_order(self, pairing: Pairing, differing: Sequence[int]) -> Score:
        """1 where the layers stand in the table's order, as all those do that are sure."""
        if not (self.listed and self._in_table_order):
            return (0,)
        places = [pairing[unit] for unit in differing]
        return (int(places == sorted(places)),)

    @cached_property
    def _in_table_order(self) -> bool:
        """Whether layers of rows that could stand in either order do so in the table's."""
        before = _ancestors(self.units)
        confirmed = False
        pairs = sorted(self.sure.items())
        for place, (unit, layer) in enumerate(pairs):
            for later, another in pairs[place + 1 :]:
                if unit not in before[later]:
                    if layer > another:
                        return False
                    confirmed = True
        return confirmed


def _sign(score: Score, other: Score) -> int:
    return (score > other) - (score < other)


def _ancestors(units: Sequence[Unit]) -> list[AbstractSet[int]]:
    """For each unit all that are computed before it."""
    found: list[AbstractSet[int]] = []
    for unit in units:
        found.append(unit.after.union(*(found[earlier] for earlier in unit.after)))
    return found
