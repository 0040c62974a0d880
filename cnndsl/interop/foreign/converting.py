"""A file from elsewhere as a network's weights, and what became of each tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from cnndsl.errors import WeightsError
from cnndsl.interop.foreign.fitting import Fits, Source
from cnndsl.interop.foreign.geometry import differences
from cnndsl.interop.foreign.layers import LAYOUTS, FloatArray, ForeignWeights, Layout, Tensor
from cnndsl.interop.foreign.matching import Match, Matching, match_layers
from cnndsl.interop.foreign.pairs import Pairs
from cnndsl.interop.foreign.units import Unit, units_of
from cnndsl.interop.weights import take_weights
from cnndsl.ir.network import Network
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.kinds import Number


@dataclass(frozen=True)
class Line:
    """One of our parameters: where it comes from, and what that is known by."""

    source: Source
    how: str


@dataclass(frozen=True)
class Converted:
    """
    A network's weights, made of a foreign file's.

    `lines` say where each comes from; `left_over` are foreign tensors that no row has, with the
    reason, and `unused` those that inference never needs.
    """

    layout: Layout
    weights: Mapping[str, FloatArray]
    lines: tuple[Line, ...]
    left_over: tuple[tuple[Tensor, str], ...]
    unused: tuple[str, ...]


def convert_weights(
    foreign: ForeignWeights,
    network: Network,
    pairs: Pairs | None = None,
    layout: Layout | None = None,
    epsilon: float | None = None,
) -> Converted:
    """
    The network's weights, made of a file's.

    `layout` says whose order of axes the file has, where neither its format nor its shapes do.
    `epsilon` is what the file's normalizations add to the variance: the difference from the row's
    own goes into the variance, so that both compute the same. Raises `WeightsError`, also where the
    file says that a layer slides otherwise than its row.
    """
    pairs = pairs or Pairs()
    layout = layout or foreign.layout or _layout(foreign, network)
    matching = match_layers(units_of(network, layout), foreign, layout, pairs)
    findings = list(differences((match.unit, match.layer) for match in matching.matches))
    if findings:
        raise WeightsError.of(findings)
    lines = tuple(_lines(matching, epsilon))
    arrays = {line.source.name: line.source.array() for line in lines}
    left_over = [
        (tensor, reason)
        for layer, reason in matching.left_over
        for tensor in layer.tensors.values()
    ]
    weights = take_weights(arrays, network.param_table)
    return Converted(layout, weights, lines, tuple(left_over), foreign.unused)


def _layout(foreign: ForeignWeights, network: Network) -> Layout:
    """The one layout in which each row finds a layer. Raises `WeightsError` where both are it."""
    possible: list[Layout] = []
    for layout in LAYOUTS:
        fits = Fits(layout)
        if all(fits.of(unit, foreign.layers) for unit in units_of(network, layout)):
            possible.append(layout)
    if len(possible) > 1:
        raise WeightsError(
            f"the shapes in {foreign.origin} fit in two orders of axes",
            code="E403",
            fixes=["--layout pytorch: filters [out, in, h, w]", "--layout keras: [h, w, in, out]"],
        )
    # Where none fits, what does not is said of the more common one.
    return possible[0] if possible else "pytorch"


def _lines(matching: Matching, epsilon: float | None) -> Iterator[Line]:
    biases = {
        match.unit.norm: match.fit.spare_bias
        for match in matching.matches
        if match.fit.spare_bias is not None
    }
    for match in matching.matches:
        for source in match.fit.sources:
            adjusted = _less_bias(source, match.unit, biases)
            yield Line(_with_epsilon(adjusted, match, epsilon), match.how)


def _less_bias(source: Source, unit: Unit, biases: Mapping[str | None, Tensor]) -> Source:
    """A mean less the bias that the convolution before has there and not here."""
    bias = biases.get(unit.name)
    if bias is None or source.name != f"{unit.name}.mean":
        return source
    numbers = bias.array
    less = source.conversion.then(f"less {bias.name}", lambda array: array - numbers)
    return replace(source, conversion=less)


def _with_epsilon(source: Source, match: Match, epsilon: float | None) -> Source:
    """A variance that, with the row's epsilon, comes to what it is with the file's."""
    op = match.unit.op
    theirs = match.layer.epsilon if epsilon is None else epsilon
    if not isinstance(op, BatchNorm) or theirs is None or theirs == op.epsilon:
        return source
    if source.name != f"{match.unit.name}.variance":
        return source
    more = theirs - op.epsilon
    shifted = source.conversion.then(
        f"its epsilon {Number().format(theirs)}",
        lambda array: (array.astype(np.float64) + more).astype(np.float32),
    )
    return replace(source, conversion=shifted)
