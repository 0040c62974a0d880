"""Every importer reads its operator as each opset from the oldest to the newest writes it."""

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_calls import relative_error, runtime

from cnndsl.interop.onnx.importers import IMPORTERS
from cnndsl.interop.onnx.reading import OLDEST_OPSET
from cnndsl.interop.onnx_backend import ReferenceBackend

pytestmark = pytest.mark.peers

NEWEST = onnx.defs.onnx_opset_version()
SHAPE = (2, 4, 6, 6)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def positive(*shape, seed=0):
    return np.abs(normal(*shape, seed=seed)) + np.float32(0.1)


def ints(*values):
    return np.array(values, np.int64)


Written = tuple[dict[str, object], list[object]]
"""A node's attributes, and its inputs behind the first: arrays, or None for one left out."""


def plain(*inputs, **attributes) -> Callable[[int], Written]:
    return lambda opset: (attributes, list(inputs))


def since(opset: int, old: Written, new: Written) -> Callable[[int], Written]:
    """What changed with an opset."""
    return lambda version: new if version >= opset else old


def listed(opset: int, name: str, *values: int, **more: object) -> Callable[[int], Written]:
    """Integers that became an input with an opset."""
    return since(opset, ({name: list(values), **more}, []), (more, [ints(*values)]))


def broadcast(array: np.ndarray) -> Callable[[int], Written]:
    """An operand beside the first that had to be as large up to opset 7."""
    return since(8, ({}, [np.broadcast_to(array, SHAPE).copy()]), ({}, [array]))


def batch_norm(opset: int) -> Written:
    arrays = [normal(4), normal(4, seed=1), normal(4, seed=2), positive(4)]
    return {"epsilon": 1e-3} | ({"spatial": 1} if opset < 9 else {}), arrays


def resize(opset: int) -> Written:
    scales = np.float32([1, 1, 2, 2])
    if opset < 11:
        return {"mode": "nearest"}, [scales]
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    return modes | {"nearest_mode": "floor"}, [np.float32([]), scales]


def upsample(opset: int) -> Written:
    scales = [1.0, 1.0, 2.0, 2.0]
    return ({"scales": scales}, []) if opset < 9 else ({}, [np.float32(scales)])


def slices(opset: int) -> Written:
    if opset < 10:
        return {"starts": [1, 0], "ends": [3, 5], "axes": [1, 3]}, []
    return {}, [ints(1, 0), ints(3, 5), ints(1, 3)]


def group_norm(opset: int) -> Written:
    count = 2 if opset < 21 else 4
    return {"num_groups": 2}, [normal(count), normal(count, seed=1)]


def dropout(opset: int) -> Written:
    return ({"ratio": 0.25}, []) if opset < 12 else ({}, [np.float32(0.25)])


WRITTEN: dict[str, Callable[[int], Written]] = {
    "Abs": plain(),
    "Add": plain(normal(4, 1, 1)),
    "AveragePool": plain(kernel_shape=[3, 3], strides=[2, 2]),
    "BatchNormalization": batch_norm,
    "Cast": plain(to=TensorProto.FLOAT),
    "Celu": plain(alpha=1.5),
    "Clip": since(11, ({"min": -0.5, "max": 0.5}, []), ({}, [np.float32(-0.5), np.float32(0.5)])),
    "Concat": plain(axis=1),
    "Conv": plain(normal(3, 4, 3, 3), normal(3), pads=[1, 1, 1, 1]),
    "ConvTranspose": plain(normal(4, 3, 3, 3), strides=[2, 2]),
    "DepthToSpace": plain(blocksize=2),
    "Div": plain(np.float32([2.0])),
    "Dropout": dropout,
    "Elu": plain(alpha=0.5),
    "Exp": plain(),
    "Expand": plain(ints(2, 4, 6, 3)),
    "Flatten": plain(axis=1),
    "Gather": plain(ints(2, 0), axis=1),
    "Gelu": plain(),
    "Gemm": plain(normal(5, 144), normal(5), transB=1),
    "GlobalAveragePool": plain(),
    "GlobalMaxPool": plain(),
    "GroupNormalization": group_norm,
    "HardSigmoid": plain(alpha=0.3),
    "HardSwish": plain(),
    "Identity": plain(),
    "InstanceNormalization": plain(normal(4), normal(4, seed=1)),
    "LRN": plain(size=3),
    "LayerNormalization": plain(normal(6), normal(6, seed=1)),
    "LeakyRelu": plain(alpha=0.2),
    "LogSoftmax": plain(axis=1),
    "LpNormalization": plain(axis=1),
    "LpPool": plain(kernel_shape=[2, 2], p=2),
    "MatMul": plain(normal(6, 5)),
    "Max": broadcast(normal(4, 1, 1)),
    "MaxPool": plain(kernel_shape=[3, 3], strides=[2, 2]),
    "Mean": broadcast(normal(4, 6, 6)),
    "Min": broadcast(np.float32(0.5)),
    "Mish": plain(),
    "Mul": plain(normal(4, 1, 1)),
    "Neg": plain(),
    "PRelu": plain(normal(4, 1, 1)),
    "Pad": since(
        11, ({"pads": [0, 0, 1, 0, 0, 0, 0, 2]}, []), ({}, [ints(0, 0, 1, 0, 0, 0, 0, 2)])
    ),
    "Pow": plain(np.float32([3.0])),
    "Reciprocal": plain(),
    "ReduceL1": listed(18, "axes", 2, 3),
    "ReduceL2": listed(18, "axes", 2, 3),
    "ReduceMax": listed(18, "axes", 2, 3),
    "ReduceMean": listed(18, "axes", 2, 3),
    "ReduceMin": listed(18, "axes", 2, 3),
    "ReduceSum": listed(13, "axes", 2, 3),
    "ReduceSumSquare": listed(18, "axes", 2, 3),
    "Relu": plain(),
    "Reshape": plain(ints(2, -1)),
    "Resize": resize,
    "Selu": plain(),
    "Shape": plain(),
    "Sigmoid": plain(),
    "Slice": slices,
    "Softmax": plain(axis=1),
    "Softplus": plain(),
    "Softsign": plain(),
    "SpaceToDepth": plain(blocksize=2),
    "Split": listed(13, "split", 1, 3, axis=1),
    "Sqrt": plain(),
    "Squeeze": listed(13, "axes", 1),
    "Sub": plain(normal(4, 1, 1)),
    "Sum": plain(),
    "Swish": plain(alpha=1.5),
    "Tanh": plain(),
    "Tile": plain(ints(1, 1, 2, 1)),
    "Transpose": plain(perm=[0, 2, 1, 3]),
    "Unsqueeze": listed(13, "axes", 1),
    "Upsample": upsample,
}
SHAPES = {
    "Expand": (2, 4, 6, 1),
    "Gemm": (2, 144),
    "Squeeze": (2, 1, 6, 6),
    "Transpose": (2, 4, 1, 6),
}


def versions(op_type: str) -> list[int]:
    """The opsets in which the operator is as no earlier one has it, the oldest and the newest."""
    schemas = onnx.defs.get_all_schemas_with_history()
    own = sorted(
        (s for s in schemas if s.name == op_type and s.domain == ""), key=lambda s: s.since_version
    )
    alive = [schema.since_version for schema in own if not schema.deprecated]
    first = max(OLDEST_OPSET, alive[0])
    last = own[-1].since_version - 1 if own[-1].deprecated else NEWEST
    return sorted({first, last, *(version for version in alive if version > first)})


def model_of(op_type: str, opset: int) -> onnx.ModelProto:
    attributes, arrays = WRITTEN[op_type](opset)
    names = ["x", *(f"c{i}" if a is not None else "" for i, a in enumerate(arrays))]
    outputs = ["y", "z"] if op_type == "Split" else ["y"]
    kind = TensorProto.INT64 if op_type == "Shape" else TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(op_type, names, outputs, **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPES.get(op_type, SHAPE))],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(a, f"c{i}") for i, a in enumerate(arrays) if a is not None],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    for value in model.graph.output:
        if not value.type.tensor_type.HasField("shape"):  # the checker wants one
            value.type.tensor_type.shape.CopyFrom(model.graph.input[0].type.tensor_type.shape)
    return model


def expected_of(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """In ONNX Runtime, or for what that does not know yet, in ONNX's own evaluator."""
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:
        return ReferenceEvaluator(model).run(None, {"x": x})
    return session.run(None, {"x": x})


@pytest.mark.parametrize(
    ("op_type", "opset"), [(op, opset) for op in sorted(WRITTEN) for opset in versions(op)]
)
def test_an_operator_is_read_as_its_opset_writes_it(op_type, opset):
    model = model_of(op_type, opset)
    of = positive if op_type == "Sqrt" else normal
    x = of(*SHAPES.get(op_type, SHAPE), seed=7)
    found = ReferenceBackend.prepare(model).run([x])
    for y, expected in zip(found, expected_of(model, x), strict=True):
        assert relative_error(y, expected) < 1e-5


def test_every_importer_is_held_to_its_opsets():
    # Others are called by names of ours, or by ones that no opset has any more.
    known = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert set(WRITTEN) == known & set(IMPORTERS)
