"""ONNX models as networks: the same outputs, legible tables, one error for all that has no row."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from strategies import networks

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper
from onnx_calls import relative_error, run_onnx
from onnx_models import assert_same, imported, model_of, node, normal, outputs_of, types_of

from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.errors import CnnError
from cnndsl.frontend.load import load_network
from cnndsl.frontend.write import write_table
from cnndsl.interop.onnx.exporting import export_onnx
from cnndsl.interop.onnx.importing import import_model
from cnndsl.interop.onnx.light_networks import light_names, seeded_light_network
from cnndsl.interop.onnx.reading import model_facts
from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.graph import Graph
from cnndsl.source import Source

pytestmark = pytest.mark.peers


# ---- whole networks


@given(network=networks())
def test_what_was_exported_comes_back_the_same(network):
    weights = seeded_weights(network.param_table, 3)
    model = export_onnx(network, weights)
    found = imported(model)
    shape = network.types[network.ir.inputs[0].name].shape
    x = normal(2, *shape)
    (expected,) = evaluate(network.ir, weights, [x])
    assume(np.abs(expected).max() < 1e20)
    given_x = x.transpose(0, 3, 1, 2) if found.graph.inputs[0].op.layout == "nchw" else x
    y = outputs_of(found, given_x)
    y = y.reshape(expected.shape) if y.size == expected.size and y.ndim != 4 else y
    if y.ndim == 4 and found.graph.inputs[0].op.layout == "nchw":
        y = y.transpose(0, 2, 3, 1)
    assert relative_error(y, expected) < 1e-4


@given(network=networks())
def test_a_graph_written_as_a_table_is_the_same_graph(network):
    plain = plain_names(network.ir)
    text = write_table("Again", plain)
    again = load_network(Source("again.cnn", text))
    assert shape_of(again.ir) == shape_of(plain)
    assert write_table("Again", plain_names(again.ir)) == text


def plain_names(graph):
    """The graph with names that rows may have."""
    names = {n.name: n.name.replace(".", "_") for n in graph.nodes}
    nodes = [
        replace(n, name=names[n.name], row=names[n.name], inputs=tuple(names[i] for i in n.inputs))
        for n in graph.nodes
    ]
    return Graph(tuple(nodes), tuple(names[o] for o in graph.outputs))


def shape_of(graph):
    """A graph without its names."""
    place = {n.name: i for i, n in enumerate(graph.nodes)}
    return [(n.op, [place[i] for i in n.inputs]) for n in graph.nodes]


@pytest.mark.slow
@pytest.mark.parametrize("name", light_names())
def test_a_real_network_of_onnxs_suite_gives_the_same_with_random_weights(name):
    model = seeded_light_network(name, seed=0)
    found = import_model(model_facts(model, None, name))
    x = normal(1, 3, 224, 224, seed=1)
    (expected,) = run_onnx(model, x)
    assert np.ptp(expected) > 0.01 * np.abs(expected).max()
    # 64-bit sums here, 32-bit ones there, through up to 121 convolutions.
    assert relative_error(outputs_of(found, x), expected) < 1e-4


# ---- patterns


def test_reshape_transpose_reshape_is_a_shuffle():
    nodes = [
        node("Reshape", "x split", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", "b whole", "y"),
    ]
    constants = {"split": np.array([1, 3, 4, 5, 6]), "whole": np.array([1, 12, 5, 6])}
    found = assert_same(model_of(nodes, [1, 12, 5, 6], constants), 1, 12, 5, 6)
    assert [str(n.op) for n in found.graph.nodes[1:]] == ["Shuffle(groups=3)"]


def test_a_shape_computed_from_the_batch_is_a_flattening():
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n axes", "n1"),
        node("Concat", "n1 rest", "shape", axis=0),
        node("Reshape", "x shape", "v"),
        node("MatMul", "v w", "m"),
        node("Add", "m b", "y"),
    ]
    constants = {
        "zero": np.array(0),
        "axes": np.array([0]),
        "rest": np.array([-1]),
        "w": normal(24, 5),
        "b": normal(5, seed=1),
    }
    found = assert_same(model_of(nodes, ["n", 2, 3, 4], constants), 3, 2, 3, 4)
    assert types_of(found) == ["flatten", "dense"]
    assert found.graph.nodes[-1].op.flatten == "chw"
    assert found.graph.nodes[-1].op.bias


def test_scale_and_shift_go_into_the_normalization_before():
    nodes = [
        node("BatchNormalization", "x g b m v", "n", epsilon=1e-3),
        node("Unsqueeze", "s axes", "s1"),
        node("Mul", "n s1", "p"),
        node("Add", "p t", "y"),
    ]
    constants = {name: normal(3, seed=i) for i, name in enumerate("gbms")}
    constants |= {"v": normal(3) ** 2, "axes": np.array([1, 2]), "t": normal(3, 1, 1, seed=9)}
    found = assert_same(model_of(nodes, [2, 3, 4, 5], constants), 2, 3, 4, 5)
    assert types_of(found) == ["batchnorm"]


def test_a_shift_does_not_change_what_others_read():
    nodes = [
        node("Conv", "x w", "c"),
        node("Add", "c t", "a"),
        node("Relu", "c", "r"),
        node("Sum", "a r", "y"),
    ]
    constants = {"w": normal(3, 3, 1, 1), "t": np.float32([1.0])}
    assert_same(model_of(nodes, [2, 3, 4, 5], constants), 2, 3, 4, 5)


def test_an_alias_does_not_hide_that_others_read():
    nodes = [
        node("Conv", "x w", "c"),
        node("Identity", "c", "i"),
        node("Add", "i t", "a"),
        node("Relu", "c", "r"),
        node("Sum", "a r", "y"),
    ]
    constants = {"w": normal(3, 3, 1, 1), "t": np.float32([1.0])}
    assert_same(model_of(nodes, [2, 3, 4, 5], constants), 2, 3, 4, 5)


def test_a_tensor_times_its_sigmoid_is_silu():
    nodes = [node("Conv", "x w", "c"), node("Sigmoid", "c", "s"), node("Mul", "c s", "y")]
    found = assert_same(model_of(nodes, [1, 3, 4, 5], {"w": normal(4, 3, 3, 3)}), 1, 3, 4, 5)
    assert found.graph.nodes[-1].op.activation == "silu"


def test_groups_of_one_map_are_a_depthwise_row():
    model = model_of([node("Conv", "x w", group=4, pads=[1, 1, 1, 1])], [1, 4, 5, 5])
    model.graph.initializer.append(numpy_helper.from_array(normal(8, 1, 3, 3), "w"))
    found = assert_same(model, 1, 4, 5, 5)
    assert types_of(found) == ["depthwise"]


def test_a_model_in_nhwc_keeps_its_layout():
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "t w", "y")]
    model = model_of(nodes, [2, 5, 6, 3], {"w": normal(4, 3, 3, 3)})
    assert imported(model).graph.inputs[0].op.layout == "nhwc"


def test_a_model_of_pixels_pads_its_rows_and_columns():
    nodes = [
        node("Relu", "x", "r"),
        node("Pad", "r pads", "p"),
        node("Transpose", "p", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w", "y"),
    ]
    constants = {"pads": np.array([0, 0, 1, 0, 0, 2, 1, 0]), "w": normal(4, 3, 3, 3)}
    assert_same(model_of(nodes, [2, 5, 6, 3], constants), 2, 5, 6, 3)


def test_one_axis_is_an_image_of_height_one():
    nodes = [
        node("Conv", "x w b", "c", pads=[1, 2], strides=[2]),
        node("MaxPool", "c", "p", kernel_shape=[3]),
        node("GlobalAveragePool", "p", "y"),
    ]
    constants = {"w": normal(4, 3, 5), "b": normal(4)}
    assert_same(model_of(nodes, [2, 3, 20], constants), 2, 3, 20)


@pytest.mark.parametrize("opset", [7, 9, 11, 12])
def test_an_older_softmax_normalizes_all_from_its_axis_on(opset):
    assert_same(model_of([node("Softmax", "x", axis=1)], [2, 3, 4, 5], opset=opset), 2, 3, 4, 5)


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_a_newer_softmax_normalizes_its_axis(axis):
    assert_same(model_of([node("Softmax", "x", axis=axis)], [2, 3, 4, 5]), 2, 3, 4, 5)


def test_weights_may_be_listed_as_inputs():
    model = model_of([node("Conv", "x w")], [1, 3, 4, 5], {"w": normal(4, 3, 1, 1)}, opset=7)
    model.ir_version = 3
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3, 1, 1]))
    assert_same(model, 1, 3, 4, 5)


@pytest.mark.parametrize("batch", [0, -1, "n"])
def test_an_open_batch_is_written_in_several_ways(batch):
    nodes = [node("Shape", "x", "s"), node("Reshape", "x s", "r"), node("Relu", "r")]
    found = imported(model_of(nodes, [batch, 3, 4, 5]))
    assert types_of(found) == ["activation"]


def test_several_inputs_and_outputs_keep_their_order_and_names():
    nodes = [node("Concat", "x second", "both", axis=1), node("Split", "both", "y z", axis=1)]
    model = model_of(nodes, ["n", 3, 4, 5], outputs=("y", "z"))
    model.graph.input.append(helper.make_tensor_value_info("second", TensorProto.FLOAT, None))
    for side in ("n", 3, 4, 5):
        dim = model.graph.input[1].type.tensor_type.shape.dim.add()
        setattr(dim, "dim_param" if side == "n" else "dim_value", side)
    found = imported(model)
    assert found.inputs == {"x": "x", "second": "second"}
    assert [output.name for output in found.outputs] == ["y", "z"]
    assert len(found.graph.outputs) == 2


def test_inputs_with_different_batches_are_refused():
    model = model_of([node("Add", "x second")], [2, 3])
    model.graph.input.append(helper.make_tensor_value_info("second", TensorProto.FLOAT, [1, 3]))
    with pytest.raises(CnnError, match="another batch"):
        imported(model)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_is_a_transposed_convolution(mode):
    model = model_of([node("DepthToSpace", "x", blocksize=2, mode=mode)], [2, 12, 3, 4])
    assert types_of(assert_same(model, 2, 12, 3, 4)) == ["convtranspose"]


def test_space_to_depth_is_a_convolution():
    model = model_of([node("SpaceToDepth", "x", blocksize=2)], [2, 3, 4, 6])
    assert types_of(assert_same(model, 2, 3, 4, 6)) == ["conv"]


def test_reshape_transpose_reshape_is_a_pixel_shuffle():
    nodes = [
        node("Reshape", "x split", "a"),
        node("Transpose", "a", "b", perm=[0, 1, 4, 2, 5, 3]),
        node("Reshape", "b whole", "y"),
    ]
    constants = {"split": np.array([2, 3, 2, 2, 4, 5]), "whole": np.array([2, 3, 8, 10])}
    found = assert_same(model_of(nodes, [2, 12, 4, 5], constants), 2, 12, 4, 5)
    assert types_of(found) == ["convtranspose"]


def test_blocks_of_cells_cut_apart_are_a_convolution():
    nodes = [
        node("Reshape", "x split", "a"),
        node("Transpose", "a", "b", perm=[0, 3, 5, 1, 2, 4]),
        node("Reshape", "b whole", "y"),
    ]
    constants = {"split": np.array([2, 3, 2, 2, 3, 2]), "whole": np.array([2, 12, 2, 3])}
    found = assert_same(model_of(nodes, [2, 3, 4, 6], constants), 2, 3, 4, 6)
    assert types_of(found) == ["conv"]


@pytest.mark.parametrize("axes", [[1], [-1], [2, 3], [1, 2, 3]])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("op_type", ["ReduceMean", "ReduceMax"])
def test_a_reduction_along_some_axes_is_a_global_pool(op_type, axes, keepdims):
    nodes = [node(op_type, "x", axes=axes, keepdims=keepdims)]
    assert_same(model_of(nodes, [2, 3, 4, 5], opset=13), 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [
        ("Celu", {"alpha": 2.0}),
        ("Selu", {"alpha": 2.0, "gamma": 3.0}),
        ("Selu", {}),
        ("Elu", {"alpha": 0.5}),
    ],
)
def test_functions_with_other_numbers_are_scaled_ones(op_type, attributes):
    assert_same(model_of([node(op_type, "x", **attributes)], [2, 3, 4, 5]), 2, 3, 4, 5)


def test_a_cast_to_other_numbers_is_refused():
    with pytest.raises(CnnError, match="other numbers than floats"):
        imported(model_of([node("Cast", "x", to=TensorProto.INT32)], [1, 3]))
