"""
What a foreign file holds: layers with tensors, by the names that the file gives them.

Frameworks name a tensor by its layer and its role in it: `layer1.0.bn1.running_var`,
`conv2d_1/kernel`, `stem_gamma`. Here roles get our names; layers keep theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import WeightsError

FloatArray = NDArray[np.float32]
Layout = Literal["pytorch", "keras"]
Role = Literal["weight", "bias", "mean", "variance"]

LAYOUTS: tuple[Layout, ...] = ("pytorch", "keras")
"""
Orders of axes: filters `[out, in, kh, kw]` and images flattened map by map, or filters
`[kh, kw, in, out]` and images flattened pixel by pixel.
"""

_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("weight", "weights", "kernel", "gamma", "scale", "alpha", "w"), "weight"),
    **dict.fromkeys(("bias", "biases", "beta", "offset", "b"), "bias"),
    **dict.fromkeys(("mean", "running_mean", "moving_mean"), "mean"),
    **dict.fromkeys(
        ("variance", "var", "running_var", "running_variance", "moving_var", "moving_variance"),
        "variance",
    ),
    "depthwise_kernel": "weight",
    "pointwise_kernel": "weight",
}
_WITHOUT_USE = ("num_batches_tracked",)
_DEPTHWISE, _POINTWISE = "depthwise_kernel", "pointwise_kernel"
_KERAS_WORDS = ("kernel", _DEPTHWISE, _POINTWISE)
_ENDING = re.compile(
    rf"(?:(?P<layer>.*?)[./_])??(?P<role>{'|'.join([*_ROLES, *_WITHOUT_USE])})(?::0)?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Tensor:
    """A tensor as the file calls it."""

    name: str
    array: FloatArray


@dataclass(frozen=True)
class Layer:
    """
    The tensors of one layer, by role.

    What a file may say besides: `epsilon` is what its normalization adds to the variance, `stride`
    its window's, and `same` whether its padding is TensorFlow's `same`.
    """

    name: str
    tensors: Mapping[Role, Tensor]
    epsilon: float | None = None
    stride: tuple[int, int] | None = None
    same: bool = False

    def array(self, role: Role) -> FloatArray | None:
        """A tensor's numbers, if it has that tensor."""
        tensor = self.tensors.get(role)
        return None if tensor is None else tensor.array

    @property
    def shapes(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Roles and shapes."""
        return tuple((role, tensor.array.shape) for role, tensor in self.tensors.items())


@dataclass(frozen=True)
class ForeignWeights:
    """
    A file's layers.

    `listed` says whether their order is that in which somebody wrote the layers down; a file that
    sorts names has no such order. `layout` is None where only shapes can tell it. `unused` are
    tensors that no inference reads.
    """

    origin: str
    layers: tuple[Layer, ...]
    listed: bool
    layout: Layout | None = None
    unused: tuple[str, ...] = ()


def layers_of(origin: str, arrays: Mapping[str, FloatArray]) -> ForeignWeights:
    """
    Named arrays as layers, each where its first tensor stands.

    >>> zero = np.zeros(1, np.float32)
    >>> found = layers_of("a file", {"c.weight": zero, "bn/moving_mean": zero, "c.bias": zero})
    >>> [(layer.name, list(layer.tensors)) for layer in found.layers]
    [('c', ['weight', 'bias']), ('bn', ['mean'])]
    """
    layers: dict[str, dict[Role, Tensor]] = {}
    unused: list[str] = []
    layout: Layout | None = None
    words = [split_name(name) for name in arrays]
    separable = {layer for layer, word in words if word == _POINTWISE}
    for (name, array), (layer, word) in zip(arrays.items(), words, strict=True):
        role = _ROLES.get(word)
        if word in _WITHOUT_USE:
            unused.append(name)
            continue
        if word in _KERAS_WORDS:
            layout = "keras"
        if layer in separable:
            layer += ".depthwise" if word == _DEPTHWISE else ".pointwise"
        # A name that ends otherwise is a layer by itself, and so is a role's second tensor.
        if role is None or role in layers.get(layer, {}):
            layer, role = name, "weight"
        layers.setdefault(layer, {})[role] = Tensor(name, array)
    names = list(arrays)
    return ForeignWeights(
        origin,
        tuple(Layer(name, tensors) for name, tensors in layers.items()),
        listed=names != sorted(names),
        layout=layout,
        unused=tuple(unused),
    )


def split_name(name: str) -> tuple[str, str]:
    """
    A tensor's layer and the last word, in lower case, where that is a role; else all and nothing.

    >>> split_name("layer1.0.bn1.running_var"), split_name("stem_gamma"), split_name("kernel:0")
    (('layer1.0.bn1', 'running_var'), ('stem', 'gamma'), ('', 'kernel'))
    >>> split_name("cls_token")
    ('cls_token', '')
    """
    found = _ENDING.fullmatch(name)
    if found is None:
        return name, ""
    return found["layer"] or "", found["role"].lower()


def natural(names: Iterable[str]) -> list[str]:
    """
    Names in the order in which people count.

    >>> natural(["conv10", "conv2", "conv"])
    ['conv', 'conv2', 'conv10']
    """

    def key(name: str) -> list[tuple[int, str]]:
        parts = re.findall(r"\d+|\D+", name)
        return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]

    return sorted(names, key=key)


def unreadable(path: Path, reason: str, *fixes: str) -> WeightsError:
    """The error of a file that is not what its ending says, or that is damaged."""
    return WeightsError(
        f"cannot read the weights in {path}: {reason}",
        code="E402",
        fixes=fixes,
    )
