"""Our weights as other frameworks would have them: written down apart from what reads them."""

from __future__ import annotations

import numpy as np

from cnndsl.api import parse
from cnndsl.interop.foreign.layers import ForeignWeights, layers_of
from cnndsl.ir.cost import node_params
from cnndsl.ir.network import Network
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.separable import Separable

TORCH_NAMES = {"mean": "running_mean", "variance": "running_var"}
KERAS_NAMES = {
    "norm": {
        "weight": "gamma",
        "bias": "beta",
        "mean": "moving_mean",
        "variance": "moving_variance",
    },
    "other": {"weight": "kernel", "bias": "bias"},
}

KEEPING = ("activation", "batchnorm", "dropout", "layernorm", "prelu")
"""Rows that leave a vector's features where they are."""


def random_weights(network: Network, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of which no two tensors are alike, with variances above 0."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, param in network.param_table.items():
        spread = np.sqrt(2 / param.fan_in) if param.init == "he" else 0.1
        array = random.normal(0, spread, param.shape)
        if name.endswith((".variance", "norm.weight")):
            array = random.uniform(0.5, 1.0, param.shape)
        if param.mask is not None:
            array = array * param.mask
        weights[name] = array.astype(np.float32)
    return weights


def torch_layers(network: Network, weights: dict[str, np.ndarray]) -> dict[str, dict]:
    """Each operator's tensors by PyTorch's names, by the operator's name here."""
    return {
        name: {TORCH_NAMES.get(role, role): array for role, array in tensors.items()}
        for name, _, tensors in _layers(network, weights, "chw")
    }


def keras_layers(network: Network, weights: dict[str, np.ndarray]) -> dict[str, dict]:
    """Each operator's tensors by Keras's names and in its order of axes."""
    found = {}
    for name, op, tensors in _layers(network, weights, "hwc"):
        kind = "norm" if isinstance(op, BatchNorm) else "other"
        if kind == "other":
            tensors = tensors | {"weight": _keras_axes(op, tensors["weight"])}
        found[name] = {KERAS_NAMES[kind][role]: array for role, array in tensors.items()}
    return found


def _keras_axes(op, weight):
    if isinstance(op, Depthwise):
        out, _, height, width = weight.shape
        split = weight.reshape(out // op.multiplier, op.multiplier, height, width)
        return split.transpose(2, 3, 0, 1)
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}
    return weight.transpose(axes[weight.ndim]) if weight.ndim in axes else weight


def _layers(network, weights, order):
    """For each operator its name, itself and its tensors; a separable row has two."""
    flattened = _flattened(network)
    for node in network.ir.nodes:
        names = node_params(node, network.types)
        tensors = {name.removeprefix(f"{node.prefix}."): weights[name] for name in names}
        if isinstance(node.op, Separable):
            parts = (("depthwise", node.op.depthwise), ("pointwise", node.op.pointwise))
            for part, op in parts:
                own = {n: a for n, a in tensors.items() if n.startswith(part)}
                own = {n.removeprefix(f"{part}."): a for n, a in own.items()}
                yield f"{node.prefix}.{part}", op, own
        elif tensors:
            if node.inputs[0] in flattened:
                shape, ours = flattened[node.inputs[0]]
                tensors = {n: _columns(a, shape, ours, order) for n, a in tensors.items()}
            if order == "chw":
                tensors = {
                    n: a.transpose(2, 0, 1) if a.ndim == 3 else a for n, a in tensors.items()
                }
            yield node.prefix, node.op, tensors


def _flattened(network):
    """For each vector made by flattening an image that image's shape and the order."""
    found = {}
    for node in network.ir.nodes:
        if isinstance(node.op, Flatten) and network.types[node.inputs[0]].is_image:
            found[node.name] = (network.types[node.inputs[0]].shape, node.op.order)
        elif node.op.row_type in KEEPING and node.inputs[0] in found:
            found[node.name] = found[node.inputs[0]]
    return found


def _columns(weight, shape, ours, theirs):
    """A dense weight's columns for an image that is flattened in another order."""
    height, width, maps = shape
    if ours == theirs or weight.shape[-1] != height * width * maps:
        return weight
    if ours == "hwc":
        images = weight.reshape(-1, height, width, maps).transpose(0, 3, 1, 2)
    else:
        images = weight.reshape(-1, maps, height, width).transpose(0, 2, 3, 1)
    return images.reshape(weight.shape)


def tensors_of(layers: dict[str, dict], separator: str = ".") -> dict[str, np.ndarray]:
    """Layers as a flat file has them."""
    return {
        f"{layer}{separator}{role}": np.ascontiguousarray(array)
        for layer, tensors in layers.items()
        for role, array in tensors.items()
    }


def shuffled_order(network: Network, seed: int) -> list[str]:
    """The operators' names in a random order in which the network can be computed."""
    random = np.random.default_rng(seed)
    nodes = list(network.ir.nodes)
    waiting = {node.name: len(node.inputs) for node in nodes}
    readers = network.ir.readers()
    ready = [node for node in nodes if not node.inputs]
    names = []
    while ready:
        node = ready.pop(int(random.integers(len(ready))))
        names += [
            name
            for name in (
                [f"{node.prefix}.depthwise", f"{node.prefix}.pointwise"]
                if isinstance(node.op, Separable)
                else [node.prefix]
            )
            if node_params(node, network.types)
        ]
        for reader in readers[node.name]:
            waiting[reader.name] -= 1
            if not waiting[reader.name]:
                ready.append(reader)
    return names


HEADER = "cnn 1\nlayer type maps size kernel padding norm activation from\n"


def table(rows):
    return parse(text=HEADER + rows)


def foreign(arrays, layout="pytorch", listed=None):
    found = layers_of("their.file", arrays)
    listed = found.listed if listed is None else listed
    return ForeignWeights(found.origin, found.layers, listed, layout, found.unused)


TWO_BRANCHES = """\
In input 4 8
a conv 4 ? 3x3 1
b conv 4 ? 3x3 1 - - In
out add ? ? - - - - a,b
"""


def branches(first, second):
    filters = np.random.default_rng(0).standard_normal((2, 4, 4, 3, 3)).astype(np.float32)
    arrays = {
        f"{first}.weight": filters[0],
        f"{first}.bias": np.zeros(4),
        f"{second}.weight": filters[1],
        f"{second}.bias": np.ones(4),
    }
    return foreign(arrays, listed=True)
