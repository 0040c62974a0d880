"""Small ONNX models that a test makes, and what they become."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper

from cnndsl.interop.onnx.importing import import_model
from cnndsl.interop.onnx.reading import model_facts


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(*shape, seed=0):
    return rng(seed).standard_normal(shape).astype(np.float32)


def model_of(nodes, shape, constants=None, opset=17, outputs=("y",)):
    """A model of nodes, from `x` of that shape to `y`."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def node(op_type, inputs, output="y", **attributes):
    return helper.make_node(op_type, inputs.split(), output.split(), **attributes)


def imported(model):
    return import_model(model_facts(model, None, "test"))


def types_of(found):
    return [n.op.row_type for n in found.graph.nodes[1:]]
