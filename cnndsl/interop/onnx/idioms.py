"""
What exporters write as several nodes, as the one node that it is.

ONNX has Gelu from opset 20 on, LayerNormalization from 17 and HardSwish from 14: before, and in
many exporters after, the formulas are written out, in whatever order of factors. Nodes that nothing
reads are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnndsl.interop.onnx.reading import Array, Facts, ModelFacts

CLOSE = 5e-4
"""Relative: exporters write the formulas' numbers as float16 too."""

OUTER, INNER = 1.7159, 2 / 3
"""The numbers of scaled_tanh."""

_DEEPEST = 4
"""Nodes from a product to its factors: no formula has more, and a hostile file might."""


def recognised(model: ModelFacts) -> ModelFacts:
    """The model with one node for each formula that is known, without nodes that nothing reads."""
    formulas = _Formulas(
        model.constants, {name: node for node in model.nodes for name in node.outputs}
    )
    wanted = set(model.outputs)
    kept: list[Facts] = []
    for facts in reversed(model.nodes):
        if not wanted.isdisjoint(facts.outputs):
            kept.append(formulas.recognised(facts))
            wanted.update(kept[-1].inputs)
    return replace(model, nodes=tuple(reversed(kept)))


@dataclass(frozen=True, slots=True)
class _Formulas:
    """Searches a model backwards from a node for the formula whose end that is."""

    constants: Mapping[str, Array]
    makers: Mapping[str, Facts]

    def recognised(self, facts: Facts) -> Facts:
        """The node, or the one that the formula which ends in it is."""
        if facts.op_type not in ("Mul", "Div"):
            return facts
        found = (search(self, facts) for search in _SEARCHES)
        return next((node for node in found if node is not None), facts)

    # ---- looking

    def number(self, name: str) -> float | None:
        """The constant of one number that a value is."""
        array = self.constants.get(name)
        if array is None and (made := self.maker(name, "Constant")) is not None:
            array = np.asarray(made.attributes.get("value", made.attributes.get("value_float")))
        if array is None or array.size != 1 or array.dtype.kind not in "fiu":
            return None
        return float(array.reshape(-1)[0])

    def maker(self, name: str, *op_types: str) -> Facts | None:
        """The node that makes a value, if it is one of those."""
        node = self.makers.get(name)
        return node if node is not None and node.op_type in op_types else None

    def read_by(self, name: str, *op_types: str) -> str | None:
        """What the node that makes a value reads, if it is one of those."""
        node = self.maker(name, *op_types)
        return None if node is None or not node.inputs else node.inputs[0]

    def scaled(self, name: str) -> tuple[float, str]:
        """A value as a number times another value."""
        node = self.maker(name, "Mul", "Div")
        if node is None or len(node.inputs) != 2:
            return 1.0, name
        first, second = node.inputs
        factor = self.number(second)
        if node.op_type == "Div":
            return (1 / factor, first) if factor else (1.0, name)
        if factor is not None:
            return factor, first
        factor = self.number(first)
        return (1.0, name) if factor is None else (factor, second)

    def shifted(self, name: str) -> tuple[float, str]:
        """A value as another value plus a number."""
        node = self.maker(name, "Add")
        if node is not None and len(node.inputs) == 2:
            for number, other in (node.inputs, node.inputs[::-1]):
                if (summand := self.number(number)) is not None:
                    return summand, other
        return 0.0, name

    def product(
        self, name: str, whole: Collection[str] = (), depth: int = _DEEPEST
    ) -> tuple[float, list[str]]:
        """A value as a number times other values. Those in `whole` are not taken apart."""
        if name not in whole and depth:
            factor, rest = self.scaled(name)
            if rest != name:
                more, names = self.product(rest, whole, depth - 1)
                return factor * more, names
            node = self.maker(name, "Mul")
            if node is not None and len(node.inputs) == 2:
                parts = [self.product(part, whole, depth - 1) for part in node.inputs]
                return parts[0][0] * parts[1][0], [*parts[0][1], *parts[1][1]]
        return 1.0, [name]

    def is_product(self, name: str, factor: float, *names: str) -> bool:
        """Whether a value is the product of the number and the values."""
        found, factors = self.product(name, names)
        return _near(found, factor) and sorted(factors) == sorted(names)


Search = Callable[[_Formulas, Facts], Facts | None]


# ---- functions


def _gelu(formulas: _Formulas, end: Facts) -> Facts | None:
    """`x / 2 * (1 + erf(x / sqrt(2)))`, or with tanh of a cubic (Hendrycks and Gimpel 2016)."""
    for factor in _factors(formulas, end):
        one, curve = formulas.shifted(factor)
        if not _near(one, 1):
            continue
        if (inner := formulas.read_by(curve, "Erf")) is not None:
            root, x = formulas.scaled(inner)
            if _near(root, math.sqrt(0.5)) and formulas.is_product(end.outputs[0], 0.5, x, factor):
                return _instead(end, "Gelu", x)
        elif (inner := formulas.read_by(curve, "Tanh")) is not None:
            x = _read_by_cubic(formulas, inner)
            if x is not None and formulas.is_product(end.outputs[0], 0.5, x, factor):
                return _instead(end, "Gelu", x, approximate="tanh")
    return None


def _read_by_cubic(formulas: _Formulas, name: str) -> str | None:
    """The `x` of `sqrt(2 / pi) * (x + 0.044715 * x**3)`."""
    root, inner = formulas.scaled(name)
    node = formulas.maker(inner, "Add")
    if node is None or not _near(root, math.sqrt(2 / math.pi)):
        return None
    for x, third in (node.inputs, node.inputs[::-1]):
        if formulas.is_product(third, 0.044715, x, x, x):
            return x
        factor, cube = formulas.scaled(third)
        power = formulas.maker(cube, "Pow")
        if power is not None and _near(factor, 0.044715):
            exponent = formulas.number(power.inputs[1])
            if power.inputs[0] == x and exponent == 3:
                return x
    return None


def _swish(formulas: _Formulas, end: Facts) -> Facts | None:
    """`x * sigmoid(alpha * x)` (Ramachandran et al. 2017)."""
    for factor in _factors(formulas, end):
        inner = formulas.read_by(factor, "Sigmoid")
        if inner is None:
            continue
        alpha, x = formulas.scaled(inner)
        if formulas.is_product(end.outputs[0], 1, x, factor):
            return _instead(end, "Swish", x, alpha=alpha)
    return None


def _mish(formulas: _Formulas, end: Facts) -> Facts | None:
    """`x * tanh(softplus(x))` (Misra 2019)."""
    for factor in _factors(formulas, end):
        inner = formulas.read_by(factor, "Tanh")
        x = None if inner is None else formulas.read_by(inner, "Softplus")
        if x is not None and formulas.is_product(end.outputs[0], 1, x, factor):
            return _instead(end, "Mish", x)
    return None


def _scaled_tanh(formulas: _Formulas, end: Facts) -> Facts | None:
    """`1.7159 * tanh(2/3 * x)` (LeCun et al. 1998, appendix A)."""
    outer, tanh = formulas.scaled(end.outputs[0])
    inside = formulas.read_by(tanh, "Tanh")
    if inside is None or not _near(outer, OUTER):
        return None
    inner, x = formulas.scaled(inside)
    return _instead(end, "ScaledTanh", x, alpha=outer, beta=inner) if _near(inner, INNER) else None


def _hard_swish(formulas: _Formulas, end: Facts) -> Facts | None:
    """`x * clip(x + 3, 0, 6) / 6`, or without the first `x` (Howard et al. 2019)."""
    for factor in _factors(formulas, end):
        clip = formulas.maker(factor, "Clip")
        if clip is None or _bounds(formulas, clip) != (0, 6):
            continue
        three, x = formulas.shifted(clip.inputs[0])
        if not _near(three, 3):
            continue
        if formulas.is_product(end.outputs[0], 1 / 6, x, factor):
            return _instead(end, "HardSwish", x)
        if formulas.is_product(end.outputs[0], 1 / 6, factor):
            return _instead(end, "HardSigmoid", x, alpha=1 / 6, beta=0.5)
    return None


def _bounds(formulas: _Formulas, clip: Facts) -> tuple[float | None, float | None]:
    low, high = (
        formulas.number(clip.inputs[place]) if len(clip.inputs) > place else clip.attributes.get(n)
        for place, n in ((1, "min"), (2, "max"))
    )
    return low, high


# ---- normalization


def _layer_norm(formulas: _Formulas, end: Facts) -> Facts | None:
    """
    `(x - mean) / sqrt(variance + epsilon)` (Ba et al. 2016).

    A weight and a bias behind it are read as any factor and summand are.
    """
    less, deviation = end.inputs if len(end.inputs) == 2 else ("", "")
    inside = formulas.read_by(deviation, "Sqrt") if end.op_type == "Div" else None
    difference = formulas.maker(less, "Sub")
    if inside is None or difference is None:
        return None
    epsilon, variance = formulas.shifted(inside)
    x, mean = difference.inputs
    middle, spread = formulas.maker(mean, "ReduceMean"), formulas.maker(variance, "ReduceMean")
    if middle is None or spread is None or epsilon <= 0 or middle.inputs[0] != x:
        return None
    axes = _mean_axes(formulas, middle)
    if axes is None or axes != _mean_axes(formulas, spread):
        return None
    if not _is_square(formulas, spread.inputs[0], less):
        return None
    return _instead(end, "LayerNormalization", x, axes=axes, epsilon=epsilon)


def _is_square(formulas: _Formulas, name: str, root: str) -> bool:
    power = formulas.maker(name, "Pow")
    if power is not None:
        return power.inputs[0] == root and formulas.number(power.inputs[1]) == 2
    return formulas.is_product(name, 1, root, root)


def _mean_axes(formulas: _Formulas, node: Facts) -> list[int] | None:
    """The axes that a mean is taken along, where they stay as axes of one place."""
    if not node.attributes.get("keepdims", 1):
        return None
    axes: Any = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1:
        name = node.inputs[1]
        axes = formulas.constants.get(name)
        if axes is None and (made := formulas.maker(name, "Constant")) is not None:
            axes = made.attributes.get("value", made.attributes.get("value_ints"))
    return None if axes is None else [int(axis) for axis in np.asarray(axes).reshape(-1)]


_SEARCHES: tuple[Search, ...] = (
    _gelu,
    _swish,
    _mish,
    _scaled_tanh,
    _hard_swish,
    _layer_norm,
)


# ---- what the searches share


def _factors(formulas: _Formulas, end: Facts) -> Iterator[str]:
    """The values of which one may be the curve that is multiplied, those in brackets too."""
    for name in end.inputs:
        _, factors = formulas.product(name)
        yield from factors


def _near(found: float, wanted: float) -> bool:
    return math.isclose(found, wanted, rel_tol=CLOSE)


def _instead(end: Facts, op_type: str, x: str, **attributes: Any) -> Facts:
    """The node that stands for a formula. Its name is that of the formula's end, less its kind."""
    name = re.sub(rf"{end.op_type}(_\d+)?$", op_type, end.name)
    return replace(end, op_type=op_type, name=name, inputs=(x,), attributes=attributes)
