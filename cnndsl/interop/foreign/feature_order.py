"""
Where the features of a network's vectors stand in a framework that flattens differently.

A vector's order comes from the flattening that made it. Weights of a framework that flattens an
image map by map (chw) have their columns in that order, and so have those of a pixel by pixel one
(hwc); the row says its own in `flatten`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnndsl.interop.foreign.layers import Layout
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import Types
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.prelu import Prelu
from cnndsl.types import TensorType

Places = NDArray[np.int64]

_KEEPING = (Activation, BatchNorm, Dropout, LayerNorm, Prelu)
_ORDERS: Mapping[Layout, str] = {"pytorch": "chw", "keras": "hwc"}


def flattening(layout: Layout) -> str:
    """The order in which a framework of that layout flattens images."""
    return _ORDERS[layout]


def feature_places(graph: Graph, types: Types, order: str) -> dict[str, Places]:
    """
    For vectors whose features stand elsewhere there: `places[k]` is where feature k stands.

    By node name. Vectors in the same order, and those made by other rows, are left out.
    """
    found: dict[str, Places] = {}
    for node in graph.nodes:
        places = _places(node, found, types, order)
        if places is not None:
            found[node.name] = places
    return found


def _places(node: Node, found: Mapping[str, Places], types: Types, order: str) -> Places | None:
    match node.op:
        case Flatten():
            image = types[node.inputs[0]]
            if not image.is_image:
                return found.get(node.inputs[0])
            return None if node.op.order == order else _moved(image, order)
        case Concat() if not types[node.name].is_image and any(i in found for i in node.inputs):
            return _joined([found.get(name) for name in node.inputs], node, types)
        case op if isinstance(op, _KEEPING):
            return found.get(node.inputs[0])
        case _:
            return None


def _moved(image: TensorType, order: str) -> Places | None:
    height, width, maps = image.shape
    if height * width == 1 or maps == 1:
        return None
    if order == "chw":  # ours is hwc
        return np.arange(image.size).reshape(maps, height, width).transpose(1, 2, 0).reshape(-1)
    return np.arange(image.size).reshape(height, width, maps).transpose(2, 0, 1).reshape(-1)


def _joined(parts: Sequence[Places | None], node: Node, types: Types) -> Places:
    begin = 0
    joined: list[Places] = []
    for part, name in zip(parts, node.inputs, strict=True):
        size = types[name].size
        joined.append((np.arange(size) if part is None else part) + begin)
        begin += size
    return np.concatenate(joined)
