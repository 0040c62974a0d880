"""
Pairing by evaluation order: a file is read as a way in which the network could be built.

Each layer in turn must fit a unit whose predecessors have all been paired. Where a choice leads
nowhere it is taken back; of a choice that others could replace, the alternatives are found, so that
nothing is guessed silently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cnndsl.interop.foreign.order import Order

Pair = tuple[int, int]
"""A unit's number and a layer's."""
Pairing = dict[int, int]
"""The layer of each unit."""

_MOST_STEPS = 300_000


class Undecided(Exception):
    """The search took too long."""


@dataclass
class Search:
    """
    `after[u]` are the units before u, `fits[u]` the layers that fit it; `order` makes a fresh order
    of the layers.
    """

    after: Sequence[frozenset[int]]
    fits: Sequence[Mapping[int, object]]
    order: Callable[[], Order]
    _dead: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    _steps: int = 0
    furthest: list[Pair] = field(default_factory=list[Pair])
    """The most pairs that were made on the way to a complete pairing."""

    def first(self) -> list[Pair] | None:
        """The pairs of a complete pairing as they were made, or None where there is none."""
        return self._complete([], {})

    def alternatives(self, trail: Sequence[Pair]) -> Iterator[list[Pair]]:
        """
        Other complete pairings, one for each choice that was open on the way to this one.

        Each is as near to this one as its own choice lets it be. Raises `Undecided`.
        """
        pairing = dict(trail)
        tried: set[Pair] = set()
        for place in range(len(trail)):
            state = _State(self, trail[:place])
            for unit, layer in state.options(pairing):
                if pairing[unit] != layer and (unit, layer) not in tried:
                    tried.add((unit, layer))
                    found = self._complete([*trail[:place], (unit, layer)], pairing)
                    if found is not None:
                        yield found

    def _complete(self, begin: Sequence[Pair], near: Pairing) -> list[Pair] | None:
        state = _State(self, begin)
        floor = len(state.pairs)
        choices = [iter(state.options(near))]
        while len(state.pairs) < len(self.after):
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise Undecided
            pair = next(choices[-1], None)
            if pair is None:
                self._dead.add(state.key)
                if len(state.pairs) == floor:
                    return None
                state.pop()
                choices.pop()
                continue
            state.push(pair)
            if state.key in self._dead:
                state.pop()
            else:
                if len(state.pairs) > len(self.furthest):
                    self.furthest = list(state.pairs)
                choices.append(iter(state.options(near)))
        return list(state.pairs)


class _State:
    """Pairs that have been made, and what can be made next."""

    def __init__(self, search: Search, pairs: Sequence[Pair]) -> None:
        self._search = search
        self._order = search.order()
        self._waiting = [len(before) for before in search.after]
        self._behind: list[list[int]] = [[] for _ in search.after]
        for unit, before in enumerate(search.after):
            for earlier in before:
                self._behind[earlier].append(unit)
        self._ready = {unit for unit, count in enumerate(self._waiting) if not count}
        self.pairs: list[Pair] = []
        self._units = self._layers = 0
        for pair in pairs:
            self.push(pair)

    @property
    def key(self) -> tuple[int, int]:
        """Which units and which layers are paired, as bits."""
        return self._units, self._layers

    def options(self, near: Pairing) -> list[Pair]:
        """The pairs that can be made now: those of `near` first, then in table order."""
        heads = self._order.heads()
        fits = self._search.fits
        found = [(u, layer) for u in sorted(self._ready) for layer in heads if layer in fits[u]]
        return sorted(found, key=lambda pair: near.get(pair[0]) != pair[1])

    def push(self, pair: Pair) -> None:
        unit, layer = pair
        self._order.take(layer)
        self._ready.remove(unit)
        for later in self._behind[unit]:
            self._waiting[later] -= 1
            if not self._waiting[later]:
                self._ready.add(later)
        self.pairs.append(pair)
        self._units |= 1 << unit
        self._layers |= 1 << layer

    def pop(self) -> None:
        unit, layer = self.pairs.pop()
        self._order.put_back(layer)
        for later in self._behind[unit]:
            self._ready.discard(later)
            self._waiting[later] += 1
        self._ready.add(unit)
        self._units ^= 1 << unit
        self._layers ^= 1 << layer
