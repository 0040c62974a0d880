"""
Keras's files: `.keras`, `.weights.h5`, and the older `.h5` of its pretrained models.

A `.weights.h5` numbers a layer's variables and says the layer's class and name; a `.keras` is a
zip file of one with the model's description, which adds the order of the layers and what their
normalizations add to the variance. In the older files variables have names.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from cnndsl.errors import MissingExtra
from cnndsl.interop.foreign.archives import UNREADABLE, require_unpackable
from cnndsl.interop.foreign.layers import (
    FloatArray,
    ForeignWeights,
    Layer,
    layers_of,
    natural,
    unreadable,
)

_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "conv2d": ("kernel", "bias"),
    "conv2d_transpose": ("kernel", "bias"),
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"),
    "group_normalization": ("gamma", "beta"),
    "p_re_lu": ("alpha",),
}
"""A layer's variables in the order of their numbers."""

_OPTIONAL: Mapping[str, str] = {"scale": "gamma", "center": "beta", "use_bias": "bias"}
"""Settings without which a layer lacks a variable."""


def read_keras(path: Path) -> ForeignWeights:
    """The layers of a file. Raises `WeightsError`, and `MissingExtra` without h5py."""
    h5py = _h5py()
    try:
        if path.suffix.lower() != ".keras":
            with h5py.File(path, "r") as file:
                return _layers(path, file, None)
        with zipfile.ZipFile(path) as archive:
            require_unpackable(path, archive)
            config = json.loads(archive.read("config.json"))
            content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            return _layers(path, file, _described(config))
    except UNREADABLE as error:
        # HDF5's own texts are long, and name places in its code.
        number = error.errno if isinstance(error, OSError) else None
        reason = None if number is None else os.strerror(number)
        raise unreadable(path, reason or "it is no file of Keras's, or it is damaged") from None


Description = Mapping[str, Mapping[str, Any]]
"""Each layer's settings by name, in the model's order."""
_NOTHING: Mapping[str, Any] = {}


def _layers(path: Path, file: Any, description: Description | None) -> ForeignWeights:
    if "layer_names" in file.attrs or "model_weights" in file:
        return _older_file(path, file.get("model_weights", file))
    variables = dict(_variables(file, ""))
    arrays: dict[str, FloatArray] = {}
    unused: list[str] = []
    for group in natural(variables):
        numbers, name = variables[group]
        kind = re.sub(r"_\d+$", "", group.rpartition("/")[2])
        if group.startswith("optimizer") or kind == "seed_generator":
            unused.append(group)
            continue
        settings = (description or {}).get(name, _NOTHING)
        words = _words(path, kind, name, len(numbers), settings)
        arrays |= {f"{name}/{word}": array for word, array in zip(words, numbers, strict=True)}
    found = layers_of(str(path), arrays)
    layers = found.layers
    if description is not None:
        layers = tuple(_in_order(layers, description))
    listed = description is not None
    return ForeignWeights(found.origin, layers, listed, "keras", tuple(unused))


def _variables(group: Any, path: str) -> Iterator[tuple[str, tuple[list[FloatArray], str]]]:
    """For each group of numbered variables its path, and the arrays and the layer's name."""
    for name, member in group.items():
        if not hasattr(member, "items"):
            continue
        if name != "vars":
            inner = path if name == "layers" else f"{path}/{name}".lstrip("/")
            yield from _variables(member, inner)
        elif len(member):
            arrays = [np.asarray(member[key]) for key in natural(member)]
            own = str(member.attrs.get("name", path.rpartition("/")[2]))
            outer = path.rpartition("/")[0]
            yield path, (arrays, f"{outer}/{own}".lstrip("/"))


def _words(
    path: Path, kind: str, name: str, count: int, settings: Mapping[str, Any]
) -> Sequence[str]:
    """What the numbered variables of a layer are."""
    words = _VARIABLES.get(kind)
    if words is None:
        return [str(number) for number in range(count)]
    absent = {word for setting, word in _OPTIONAL.items() if settings.get(setting) is False}
    kept = [word for word in words if word not in absent]
    if len(kept) == count:
        return kept
    if len(kept) - count == 1 and kept[-1] == "bias":
        return kept[:-1]
    if kind == "batch_normalization" and count == 2:
        return kept[2:]
    raise unreadable(
        path,
        f"of {name}'s {' and '.join(kept[:2])} one is missing, and the file does not say which",
        "model.save('model.keras') where the model is: it says more",
    )


def _described(config: Mapping[str, Any], outer: str = "") -> dict[str, Mapping[str, Any]]:
    """The settings of a model's layers, those of models in it too."""
    found: dict[str, Mapping[str, Any]] = {}
    for layer in config["config"]["layers"]:
        settings = layer["config"]
        name = f"{outer}/{settings['name']}".lstrip("/")
        found |= _described(layer, name) if "layers" in settings else {name: settings}
    return found


def _in_order(layers: Sequence[Layer], description: Description) -> Iterator[Layer]:
    places = {name: place for place, name in enumerate(description)}

    def owner(layer: Layer) -> str:
        # The halves of a separable convolution have names of their own.
        return layer.name if layer.name in places else layer.name.rpartition(".")[0]

    for layer in sorted(layers, key=lambda layer: places.get(owner(layer), len(places))):
        yield _with_settings(layer, description.get(owner(layer), _NOTHING))


def _with_settings(layer: Layer, settings: Mapping[str, Any]) -> Layer:
    epsilon, strides = settings.get("epsilon"), settings.get("strides")
    if epsilon is not None:
        layer = replace(layer, epsilon=float(epsilon))
    # A separable layer's stride and padding are its depthwise half's.
    if strides is not None and not layer.name.endswith(".pointwise"):
        same = settings.get("padding") == "same"
        layer = replace(layer, stride=(int(strides[0]), int(strides[-1])), same=same)
    return layer


def _older_file(path: Path, file: Any) -> ForeignWeights:
    """Keras 2's files: the names of layers and variables stand in attributes, in order."""
    arrays: dict[str, FloatArray] = {}
    for layer in file.attrs["layer_names"]:
        group = file[layer]
        for name in group.attrs["weight_names"]:
            arrays[_text(name)] = np.asarray(group[name])
    found = layers_of(str(path), arrays)
    return ForeignWeights(found.origin, found.layers, True, "keras", found.unused)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _h5py() -> Any:
    """The package. Raises `MissingExtra` where it is not installed."""
    try:
        return import_module("h5py")
    except ImportError:
        raise MissingExtra(
            "Keras's files need the package h5py", fixes=["pip install 'cnndsl[keras]'"]
        ) from None
