"""
A network with its weights as an ONNX model.

Inside the model images are `[n, c, h, w]`; it takes and returns what our model does, so where the
input row says nhwc the model begins with a transposition. Inputs are called like their rows, and so
are outputs that need no transposition at the end; others are `output`, or of several `row/output`.
Weights keep their names, `C1.weight`, and each node says which row and line it comes from. Any
batch can be passed. The opset is the oldest in which all nodes can be said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnndsl.errors import CnnError
from cnndsl.interop.drafts import write_whole
from cnndsl.interop.onnx.emitting import Array, Call, Emitted, OnnxNode
from cnndsl.interop.onnx.export_cells import (
    export_activation,
    export_add,
    export_batch_norm,
    export_dense,
    export_group_norm,
    export_instance_norm,
    export_layer_norm,
    export_lrn,
    export_mul,
    export_prelu,
    export_rbf,
)
from cnndsl.interop.onnx.export_places import (
    TO_NCHW,
    TO_NHWC,
    export_concat,
    export_constant,
    export_flatten,
    export_global_avg_pool,
    export_global_max_pool,
    export_pad,
    export_reshape,
    export_resize,
    export_shuffle,
    export_slice,
)
from cnndsl.interop.onnx.export_windows import (
    export_avg_pool,
    export_conv,
    export_conv_transpose,
    export_depthwise,
    export_lp_pool,
    export_max_pool,
    export_separable,
    export_subsample,
)
from cnndsl.interop.onnx.package import onnx_module
from cnndsl.ir.bind import bound_params
from cnndsl.ir.infer import operand_types
from cnndsl.ir.network import Network
from cnndsl.ir.node import Node
from cnndsl.ops.base import Op
from cnndsl.ops.input import Input
from cnndsl.types import TensorType

_IR_VERSIONS = {17: 8, 18: 8, 19: 9}
"""The IR version that came with an opset."""

BATCH = "batch"
"""What the model calls its first axis."""

_LARGEST = 2**31 - 1
"""Bytes that one protobuf can hold."""

_EXPORTERS: dict[str, Callable[[Call, Any], str]] = {
    "conv": export_conv,
    "maxpool": export_max_pool,
    "avgpool": export_avg_pool,
    "globalavgpool": export_global_avg_pool,
    "globalmaxpool": export_global_max_pool,
    "subsample": export_subsample,
    "lrn": export_lrn,
    "activation": export_activation,
    "flatten": export_flatten,
    "dense": export_dense,
    "rbf": export_rbf,
    "add": export_add,
    "mul": export_mul,
    "concat": export_concat,
    "constant": export_constant,
    "batchnorm": export_batch_norm,
    "groupnorm": export_group_norm,
    "instancenorm": export_instance_norm,
    "layernorm": export_layer_norm,
    "prelu": export_prelu,
    "depthwise": export_depthwise,
    "separable": export_separable,
    "convtranspose": export_conv_transpose,
    "lppool": export_lp_pool,
    "pad": export_pad,
    "slice": export_slice,
    "shuffle": export_shuffle,
    "reshape": export_reshape,
    "resize": export_resize,
}


def write_onnx(network: Network, weights: Mapping[str, Array], path: Path) -> None:
    """
    Write the model to a file, whole or not at all.

    Raises `CnnError` for an operator without a form in ONNX and for a model beyond the format's
    2 GiB, `FileError`, and `MissingExtra` where onnx is not installed.
    """
    content: bytes = export_onnx(network, weights).SerializeToString()
    write_whole(path, content)


def export_onnx(network: Network, weights: Mapping[str, Array]) -> Any:
    """The network as an `onnx.ModelProto`, found valid by ONNX's own checker."""
    onnx, helper = onnx_module(), onnx_module("onnx.helper")
    size = sum(array.nbytes for array in weights.values())
    if size > _LARGEST:
        raise CnnError(
            f"{network.name} has {size:,} bytes of weights, and an ONNX file holds 2 GiB",
            code="E805",
        )
    emitted = Emitted()
    values = _emit_all(network, weights, emitted)
    types = {name: _onnx_shape(network.types[node], "nchw") for node, name in values.items()}
    inputs = {
        name: _onnx_shape(op.infer(), op.layout) for name, op in network.signature.inputs.items()
    }
    outputs: dict[str, list[str | int]] = {}
    for row, node in zip(network.outputs, network.ir.outputs, strict=True):
        type_ = network.types[node]
        turned = type_.is_image and network.ir.layout == "nhwc"
        value = values[node]
        if turned or value in inputs or value in outputs:
            alone = len(network.outputs) == 1 and "output" not in network.types
            value = _emit_output(value, "output" if alone else f"{row}/output", turned, emitted)
        outputs[value] = _onnx_shape(type_, network.ir.layout)
    ends = {**inputs, **outputs}

    def value_info(values: Mapping[str, list[str | int]]) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in values.items()
        ]

    graph = helper.make_graph(
        [_node_proto(helper, node) for node in emitted.nodes],
        network.name,
        value_info(inputs),
        value_info(outputs),
        [_tensor_proto(name, array) for name, array in emitted.constants.items()],
        value_info=value_info({name: x for name, x in types.items() if name not in ends}),
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", emitted.opset)],
        ir_version=_IR_VERSIONS[emitted.opset],
        producer_name="cnndsl",
    )
    model = onnx_module("onnx.shape_inference").infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    return model


def _emit_all(network: Network, weights: Mapping[str, Array], emitted: Emitted) -> dict[str, str]:
    """All nodes of a network. Returns the ONNX value of each of our nodes."""
    values: dict[str, str] = {}
    for node in network.ir.nodes:
        if isinstance(node.op, Input):
            values[node.name] = _emit_input(node, emitted)
            continue
        operands = operand_types(node, network.types)
        # A constant reads nothing but how many images there are.
        read = node.inputs or (network.ir.inputs[0].name,)
        inputs = tuple(values[name] for name in read)
        if len(operands) == 1 and node.op.passes_on(*operands):
            values[node.name] = inputs[0]
            continue
        params = bound_params(node, operands, weights)
        result = network.types[node.name]
        call = Call(node, inputs, operands, result, params, emitted)
        values[node.name] = _exporter(call, node.op)(call, node.op)
    return values


def _exporter(call: Call, op: Op) -> Callable[[Call, Any], str]:
    exporter = _EXPORTERS.get(op.row_type)
    if exporter is None:
        raise call.refuse("no ONNX operator computes it")
    return exporter


def _emit_input(node: Node, emitted: Emitted) -> str:
    assert isinstance(node.op, Input)
    if node.op.layout == "nchw":
        return node.name
    name = f"{node.name}/nchw"
    emitted.nodes.append(OnnxNode("Transpose", (node.name,), name, {"perm": TO_NCHW}))
    return name


def _emit_output(value: str, output: str, turned: bool, emitted: Emitted) -> str:
    """A result as a value of its own, its maps brought to the end where it is `turned`."""
    options = {"perm": TO_NHWC} if turned else {}
    operator = "Transpose" if turned else "Identity"
    emitted.nodes.append(OnnxNode(operator, (value,), output, options))
    return output


def _onnx_shape(type_: TensorType, layout: str) -> list[str | int]:
    if type_.is_image and layout == "nchw":
        height, width, maps = type_.shape
        return [BATCH, maps, height, width]
    return [BATCH, *type_.shape]


def _node_proto(helper: Any, node: OnnxNode) -> Any:
    return helper.make_node(
        node.op_type,
        list(node.inputs),
        [node.output],
        name=node.output,
        doc_string=node.doc,
        **node.attributes,
    )


def _tensor_proto(name: str, array: Array) -> Any:
    stored = array if array.dtype == np.int64 else array.astype(np.float32, copy=False)
    return onnx_module("onnx.numpy_helper").from_array(np.ascontiguousarray(stored), name)
