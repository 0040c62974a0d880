"""Units and layers that fit, as one pairing of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from cnndsl.interop.foreign import refusals
from cnndsl.interop.foreign.evidence import Evidence
from cnndsl.interop.foreign.layers import ForeignWeights, Layer
from cnndsl.interop.foreign.order import Listed, Named, Order
from cnndsl.interop.foreign.search import Pair, Pairing, Search, Undecided
from cnndsl.interop.foreign.units import Unit


@dataclass(frozen=True)
class Solution:
    """
    The layer of each unit, by number.

    `reasons` say what a pair is known by where more than order was needed. `dropped` are layers
    that belong to the module `module`, of which the table has nothing.
    """

    pairing: Pairing
    reasons: dict[int, str] = field(default_factory=dict[int, str])
    dropped: tuple[int, ...] = ()
    module: str = ""


@dataclass(frozen=True)
class _Found:
    """A first pairing, with the search that can look for others."""

    search: Search
    trail: list[Pair]
    listed: bool
    dropped: tuple[int, ...] = ()
    module: str = ""


@dataclass(frozen=True)
class Problem:
    """Units without layers, the layers that are left, and which fit which."""

    units: Sequence[Unit]
    layers: Sequence[Layer]
    table: refusals.Table
    foreign: ForeignWeights

    def solve(self, kept: Sequence[int]) -> Solution:
        """
        The pairing of all units with those layers.

        Where there are too many, a module is left out without which there are not. Raises
        `WeightsError`.
        """
        if len(kept) < len(self.units):
            raise refusals.too_few(self.units, self.table, kept, self.foreign.origin)
        try:
            if len(kept) == len(self.units):
                return self._meant(self._complete(kept))
            return self._meant(self._without_a_module(kept))
        except Undecided:
            raise refusals.endless(self.foreign.origin) from None

    def _complete(self, kept: Sequence[int]) -> _Found:
        """A first pairing, in the file's own order if it has one, else in that of its names."""
        search: Search | None = None
        for listed in (True, False) if self.foreign.listed else (False,):
            search = self._search(kept, listed=listed)
            trail = search.first()
            if trail is not None:
                return _Found(search, trail, listed)
        made = search.furthest if search else []
        raise refusals.stuck(self.units, self.layers, made, self.foreign.origin)

    def _search(self, kept: Sequence[int], *, listed: bool) -> Search:
        names = {i: self.layers[i].name for i in kept}
        order: Callable[[], Order] = partial(Listed, kept) if listed else partial(Named, names)
        return Search([unit.after for unit in self.units], self.table, order)

    def _without_a_module(self, kept: Sequence[int]) -> _Found:
        """
        A pairing without a module: the outermost one that does, in the file's own order at best.

        Raises `WeightsError` where that leaves several, or none.
        """
        surplus = len(kept) - len(self.units)
        modules: list[str] = []
        for listed in (True, False) if self.foreign.listed else (False,):
            found: dict[int, list[_Found]] = {}
            for name, members in self._modules(kept, surplus):
                rest = [i for i in kept if i not in members]
                search = self._search(rest, listed=listed)
                trail = search.first()
                if trail is not None:
                    depth = len(re.split("[./]", name))
                    found.setdefault(depth, []).append(_Found(search, trail, listed, members, name))
            outermost = found[min(found)] if found else []
            if len(outermost) == 1:
                return outermost[0]
            modules = modules or [one.module for one in outermost]
        raise refusals.too_many(self.units, self.table, kept, self.foreign.origin, modules)

    def _modules(self, kept: Sequence[int], size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Modules of so many layers; those that only numbers tell apart count as one as well."""
        groups: dict[str, list[int]] = {}
        for i in kept:
            words = re.split(r"(?=[./])", self.layers[i].name)
            for end in range(1, len(words) + 1):
                name = "".join(words[:end])
                for key in dict.fromkeys((name, re.sub(r"\d+", "*", name))):
                    groups.setdefault(key, []).append(i)
        seen: set[tuple[int, ...]] = set()
        for name, members in groups.items():
            if len(members) == size and tuple(members) not in seen:
                seen.add(tuple(members))
                yield name, tuple(members)

    def _meant(self, found: _Found) -> Solution:
        """The pairing that the evidence asks for. Raises `WeightsError` where it says nothing."""
        trail, seen = found.trail, list[Pairing]()
        while True:
            pairing = dict(trail)
            seen.append(pairing)
            trails = list(found.search.alternatives(trail))
            others = [dict(other) for other in trails]
            unsure = {u for other in others for u in other if other[u] != pairing[u]}
            sure = {u: layer for u, layer in pairing.items() if u not in unsure}
            evidence = Evidence(self.units, self.layers, sure, found.listed)
            verdicts = [evidence.judge(pairing, other) for other in others]
            sides = [verdict.side for verdict in verdicts]
            better = [i for i, other in enumerate(others) if sides[i] < 0 and other not in seen]
            if better:
                trail = trails[better[0]]
                continue
            undecided = [other for other, side in zip(others, sides, strict=True) if side <= 0]
            if undecided:
                raise refusals.ambiguous(self.units, self.layers, pairing, undecided)
            reasons = {
                unit: verdict.reason
                for other, verdict in zip(others, verdicts, strict=True)
                for unit in other
                if other[unit] != pairing[unit]
            }
            return Solution(pairing, reasons, found.dropped, found.module)
