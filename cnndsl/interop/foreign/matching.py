"""
Which layer of a file belongs to which row.

A layer fits a unit by kind and shapes; all layers together must fit in an order in which the
network can be computed (`search`). Where more than one pairing is left, names and repetition decide
(`evidence`) or the pairing is refused: weights in the wrong place give wrong answers silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cnndsl.errors import Diagnostic, WeightsError
from cnndsl.interop.foreign import refusals
from cnndsl.interop.foreign.fitting import Fit, Fits, fit
from cnndsl.interop.foreign.layers import ForeignWeights, Layer, Layout
from cnndsl.interop.foreign.pairing import Problem
from cnndsl.interop.foreign.pairs import Pairs
from cnndsl.interop.foreign.units import Unit, without

BY_HAND, BY_SHAPE, BY_ORDER = "as you say", "only fit", "by order"


@dataclass(frozen=True)
class Match:
    """A unit, its layer, how its tensors are converted, and what the pair is known by."""

    unit: Unit
    layer: Layer
    fit: Fit
    how: str


@dataclass(frozen=True)
class Matching:
    """All units with their layers, and the layers that no row has with the reason."""

    matches: tuple[Match, ...]
    left_over: tuple[tuple[Layer, str], ...]


def match_layers(
    units: Sequence[Unit], foreign: ForeignWeights, layout: Layout, pairs: Pairs
) -> Matching:
    """
    Pair all units of a network with a file's layers.

    `pairs` are those that a user has made. Raises `WeightsError` where a unit has no layer, and
    with the code E403 where several pairings are possible and nothing tells which is meant.
    """
    pairs.check({unit.name for unit in units}, {layer.name for layer in foreign.layers})
    matches = _by_hand(units, foreign, layout, pairs)
    taken = {match.layer.name for match in matches.values()}
    left_over = [(layer, BY_HAND) for layer in foreign.layers if pairs.leaves_out(layer.name)]
    gone = taken | {layer.name for layer, _ in left_over}
    layers = [layer for layer in foreign.layers if layer.name not in gone]

    rest = without(units, set(matches))
    fits = Fits(layout)
    table = [fits.of(unit, layers) for unit in rest]
    findings = refusals.without_layers(rest, layers, table, foreign.origin)
    if findings:
        raise WeightsError.of(findings)
    fitting = {number for row in table for number in row}
    solution = Problem(rest, layers, table, foreign).solve(sorted(fitting))

    for number, unit in enumerate(rest):
        layer = solution.pairing[number]
        known = solution.reasons.get(number, BY_ORDER)
        how = BY_SHAPE if len(table[number]) == 1 else known
        matches[unit.name] = Match(unit, layers[layer], table[number][layer], how)
    for number, layer in enumerate(layers):
        if number not in fitting:
            left_over.append((layer, "no row has such tensors"))
        elif number in solution.dropped:
            left_over.append((layer, f"no row is for {solution.module}"))
    return Matching(tuple(matches[unit.name] for unit in units), tuple(left_over))


def _by_hand(
    units: Sequence[Unit], foreign: ForeignWeights, layout: Layout, pairs: Pairs
) -> dict[str, Match]:
    """The matches that a user has made. Raises `WeightsError` where one does not fit."""
    layers: Mapping[str, Layer] = {layer.name: layer for layer in foreign.layers}
    matches: dict[str, Match] = {}
    findings: list[Diagnostic] = []
    for unit in units:
        if unit.name in pairs.layers:
            layer = layers[pairs.layers[unit.name]]
            how = fit(unit, layer, layout)
            if how is None:
                findings.append(refusals.misfit(unit, layer))
            else:
                matches[unit.name] = Match(unit, layer, how, BY_HAND)
    if findings:
        raise WeightsError.of(findings)
    return matches
