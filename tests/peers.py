"""What the comparisons with PyTorch and ONNX Runtime share."""

import numpy as np

FLOAT32 = {"rtol": 2e-5, "atol": 2e-5}


def one_node(operator, arrays, attributes):
    """A model of one node, and its inputs by name. Integers stay integers; None is left out."""
    from onnx import TensorProto, helper

    feed = {f"x{i}": _onnx_array(a) for i, a in enumerate(arrays) if a is not None}
    names = [f"x{i}" if f"x{i}" in feed else "" for i in range(len(arrays))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], **attributes)],
        operator,
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in feed.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    model.ir_version = 10  # which every ONNX Runtime that knows this opset reads
    return model, feed


def _onnx_array(array):
    array = np.asarray(array)
    return array.astype(np.int64 if array.dtype.kind == "i" else np.float32)


def nchw(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def nhwc(x):
    return np.asarray(x).transpose(0, 2, 3, 1)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)
