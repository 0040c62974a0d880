"""Arithmetic on constants, done once by ONNX's own reference implementation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from cnndsl.interop.onnx.package import onnx_module
from cnndsl.interop.onnx.reading import Array, Facts

LARGEST = 2**28
"""Elements of all folded constants together: a gigabyte of float32."""

_FOLDABLE = """
Abs Add And BatchNormalization Cast CastLike Ceil Clip Concat ConstantOfShape Cos CumSum Div Equal
Erf Exp Expand Flatten Floor Gather GatherElements GatherND Greater GreaterOrEqual Identity Less
LessOrEqual Log Max Min Mod Mul Neg Not Or Pow Range Reciprocal ReduceL1 ReduceL2 ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round ScatterElements
ScatterND Shape Sigmoid Sign Sin Size Slice Softmax Split Sqrt Squeeze Sub Sum Tanh Tile Transpose
Trilu Unsqueeze Where Xor
"""
FOLDABLE = frozenset(_FOLDABLE.split())


class TooLarge(Exception):
    """A constant that would have more elements than are left."""


def fold(
    node: Facts, inputs: Sequence[Array | None], opset: int, left: int = LARGEST
) -> list[Array]:
    """
    The outputs of a node of `FOLDABLE` whose inputs are known; None stands for one left out.

    `left` is how many elements they may have.

    Raises `TooLarge`, and what NumPy raises where the node is malformed.
    """
    if _elements(node, inputs) > left:
        raise TooLarge
    if node.op_type == "ConstantOfShape" and inputs[0] is not None:
        value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
        return [np.full(tuple(int(side) for side in inputs[0]), value)]
    onnx, helper = onnx_module(), onnx_module("onnx.helper")
    feeds = {name: array for name, array in zip(node.inputs, inputs, strict=True) if name}
    values = [
        helper.make_tensor_value_info(n, *_type(a)) for n, a in feeds.items() if a is not None
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.outputs if name]
    graph = helper.make_graph([node.proto], "constant", values, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    session: Any = onnx_module("onnx.reference").ReferenceEvaluator(model)
    return [np.asarray(array) for array in session.run(None, feeds)]


def _type(array: Array | None) -> tuple[Any, Any]:
    assert array is not None
    return onnx_module("onnx.helper").np_dtype_to_tensor_dtype(array.dtype), array.shape


def _elements(node: Facts, inputs: Sequence[Array | None]) -> int:
    """How many elements the largest output can have, as far as the inputs make it larger."""
    given = [array for array in inputs if array is not None]
    match node.op_type:
        case "ConstantOfShape":
            return _product(given[0])
        case "Expand":
            return max(given[0].size, _product(given[1])) * max(1, given[0].size)
        case "Tile":
            return given[0].size * _product(given[1])
        case "Range":
            start, end, step = (float(array.reshape(-1)[0]) for array in given)
            return int(abs(end - start) / abs(step)) if step else 0
        case _:
            # Broadcasting makes at most the product of two sides, of which each is bounded.
            shapes = [array.shape for array in given]
            if node.op_type == "Concat" or len(shapes) < 2:
                return sum(array.size for array in given)
            try:
                return prod(np.broadcast_shapes(*shapes))
            except ValueError:
                return max(array.size for array in given)


def _product(shape: Array) -> int:
    return prod(max(int(side), 0) for side in shape.reshape(-1))
