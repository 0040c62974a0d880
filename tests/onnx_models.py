"""Small ONNX models that a test makes, and what they become."""

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper
from onnx_calls import relative_error, run_onnx

from cnndsl.backends.reference.evaluate import evaluate
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


def outputs_of(found, x):
    """The imported graph's outputs for ONNX's input, in ONNX's layout."""
    op = found.graph.inputs[0].op
    shape = (op.maps, *op.size) if op.layout == "nchw" else (*op.size, op.maps)
    images = x.reshape(len(x), *shape)
    nhwc = images.transpose(0, 2, 3, 1) if op.layout == "nchw" else images
    (y,) = evaluate(found.graph, found.weights, [nhwc])
    if y.ndim == 4 and op.layout == "nchw":
        y = y.transpose(0, 3, 1, 2)
    (output,) = found.outputs
    return y.reshape(len(x), *output.shape)


def assert_same(model, *shape, close=2e-5):
    x = normal(*shape, seed=4)
    (expected,) = run_onnx(model, x)
    found = imported(model)
    assert relative_error(outputs_of(found, x), expected) < close
    return found
