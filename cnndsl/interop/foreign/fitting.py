"""Whether a foreign layer's tensors make the parameters of a unit, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cnndsl.interop.foreign.conversions import Conversion, convert
from cnndsl.interop.foreign.feature_order import Places, flattening
from cnndsl.interop.foreign.layers import FloatArray, Layer, Layout, Role, Tensor
from cnndsl.interop.foreign.units import Unit
from cnndsl.ops.base import Op, Param
from cnndsl.ops.batch_norm import BatchNorm


@dataclass(frozen=True)
class Source:
    """
    Where one of our parameters comes from: a foreign tensor and its conversion.

    Without a tensor it is what a framework computes with that has none: ones or zeros.
    """

    name: str
    param: Param
    tensor: Tensor | None
    conversion: Conversion

    def array(self) -> FloatArray:
        """Our array."""
        given = np.zeros(0, np.float32) if self.tensor is None else self.tensor.array
        return np.ascontiguousarray(self.conversion.apply(given), np.float32)


@dataclass(frozen=True)
class Fit:
    """
    How a layer's tensors make a unit's parameters.

    `spare_bias` is a bias that the unit has no place for and the normalization behind it has.
    """

    sources: tuple[Source, ...]
    spare_bias: Tensor | None = None


def fit(unit: Unit, layer: Layer, layout: Layout) -> Fit | None:
    """How the layer's tensors make the unit's parameters, or None where they do not."""
    sources: list[Source] = []
    for name, param in unit.params.items():
        tensor = layer.tensors.get(_role(name))
        if tensor is None:
            conversion = _absent(unit.op, param)
        else:
            found = convert(unit.op, param, tensor.array.shape, layout)
            conversion = None if found is None else _reordered(found, unit, param, layout)
        if conversion is None:
            return None
        sources.append(Source(f"{unit.name}.{name}", param, tensor, conversion))
    roles = set(map(_role, unit.params))
    left = {role: tensor for role, tensor in layer.tensors.items() if role not in roles}
    bias = left.pop("bias", None)
    if left or (bias is not None and not _norm_takes(bias, unit)):
        return None
    return Fit(tuple(sources), bias)


def _role(name: str) -> Role:
    roles: Mapping[str, Role] = {"bias": "bias", "mean": "mean", "variance": "variance"}
    return roles.get(name, "weight")


def _absent(op: Op, param: Param) -> Conversion | None:
    """What a framework computes with where it has no such tensor."""
    if param.name == "bias":
        return Conversion("zeros: there is none", lambda _: np.zeros(param.shape, np.float32))
    if param.name == "weight" and isinstance(op, BatchNorm):
        return Conversion("ones: there is none", lambda _: np.ones(param.shape, np.float32))
    return None


def _norm_takes(bias: Tensor, unit: Unit) -> bool:
    """Whether the normalization behind the unit can take a bias off its mean instead."""
    return unit.norm is not None and "weight" in unit.params and bias.array.ndim == 1


def _reordered(conversion: Conversion, unit: Unit, param: Param, layout: Layout) -> Conversion:
    """With the features that a dense unit or a vector's normalization reads in our order."""
    if unit.places is None or param.shape[-1] != len(unit.places):
        return conversion
    places: Places = unit.places
    words = "columns chw→hwc" if flattening(layout) == "chw" else "columns hwc→chw"
    return conversion.then(words, lambda array: array[..., places])


class Fits:
    """Finds the layers that fit a unit. Units and layers of the same shapes are looked at once."""

    def __init__(self, layout: Layout) -> None:
        self._layout: Layout = layout
        self._impossible: set[tuple[object, ...]] = set()

    def of(self, unit: Unit, layers: Sequence[Layer]) -> dict[int, Fit]:
        """The layers that fit, by number."""
        found: dict[int, Fit] = {}
        for number, layer in enumerate(layers):
            key = (unit.signature, layer.shapes)
            if key in self._impossible:
                continue
            how = fit(unit, layer, self._layout)
            if how is None:
                self._impossible.add(key)
            else:
                found[number] = how
        return found
