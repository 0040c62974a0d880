"""Tensors that ONNX broadcasts, stacks and sums along any axis, as rows of images."""

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_models import assert_same, model_of, node, normal, types_of

pytestmark = pytest.mark.peers

SHAPE = (2, 6, 4, 5)


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("axes", [[2, 3], [1], [1, 2, 3], [3]])
def test_a_mean_goes_with_the_image_that_it_is_of(op_type, axes):
    nodes = [node("ReduceMean", "x", "m", axes=axes), node(op_type, "x m")]
    assert_same(model_of(nodes, [*SHAPE], opset=13), *SHAPE)


def test_a_pooled_image_is_repeated_by_a_resize():
    nodes = [node("GlobalAveragePool", "x", "m"), node("Add", "x m")]
    found = assert_same(model_of(nodes, [*SHAPE]), *SHAPE)
    assert types_of(found) == ["globalavgpool", "resize", "add"]


def test_a_gate_that_is_expanded_needs_no_row_for_that():
    nodes = [
        node("GlobalAveragePool", "x", "m"),
        node("Shape", "x", "whole"),
        node("Expand", "m whole", "e"),
        node("Mul", "e x"),
    ]
    found = assert_same(model_of(nodes, [*SHAPE]), *SHAPE)
    assert types_of(found) == ["globalavgpool", "mul"]


@pytest.mark.parametrize("sides", [(6, 4, 5), (6, 1, 5), (6, 4, 1)])
def test_an_expanded_image_is_an_image(sides):
    nodes = [
        node("ReduceMean", "x", "m", axes=[2, 3]),
        node("Expand", "m sides", "e"),
        node("MaxPool", "e", kernel_shape=[1, 1]),
    ]
    constants = {"sides": np.array([1, *sides])}
    assert_same(model_of(nodes, [2, 6, 4, 5], constants, opset=13), *SHAPE)


@pytest.mark.parametrize("old", [(1, 3, 4, 5), (2, 1, 4, 5), (2, 3, 1, 5), (2, 1, 1, 5)])
def test_a_tensor_of_four_axes_is_repeated_along_any(old):
    nodes = [node("Reshape", "x split", "a"), node("Expand", "a sides")]
    constants = {"split": np.array([2, *old]), "sides": np.array([2, 2, 3, 4, 5])}
    assert_same(model_of(nodes, [2, int(np.prod(old))], constants), 2, int(np.prod(old)))


@pytest.mark.parametrize("sides", [(6, 20), (2, 3, 4, 5)])
def test_outputs_of_any_axes_come_out_of_a_network_of_pixels(sides):
    nodes = [node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Reshape", "t sides")]
    found = assert_same(model_of(nodes, [2, 4, 5, 6], {"sides": np.array([2, *sides])}), 2, 4, 5, 6)
    assert found.graph.inputs[0].op.layout == "nhwc"


@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceMean"])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_branches_that_are_stacked_are_weighed_and_summed(op_type, keepdims):
    """Selective kernels: a stack, an attention over its branches, and their sum."""
    axes = {"axes": [1]} if op_type == "ReduceMean" else {}
    nodes = [
        node("Relu", "x", "r"),
        node("Unsqueeze", "x one", "x1"),
        node("Unsqueeze", "r one", "r1"),
        node("Concat", "x1 r1", "stack", axis=1),
        node("ReduceMean", "stack", "m", axes=[3, 4]),
        node("Softmax", "m", "share", axis=1),
        node("Mul", "stack share", "weighed"),
        node(op_type, "weighed" if axes else "weighed one", "s", keepdims=keepdims, **axes),
        node("Identity", "s"),
    ]
    assert_same(model_of(nodes, [*SHAPE], {"one": np.array([1])}), *SHAPE)


@pytest.mark.parametrize("axis", [1, 2, 3, 4])
def test_tensors_of_four_axes_follow_each_other_along_any(axis):
    nodes = [
        node("Relu", "x", "r"),
        node("Reshape", "x split", "a"),
        node("Reshape", "r split", "b"),
        node("Concat", "a b", "c", axis=axis),
        node("Flatten", "c"),
    ]
    constants = {"split": np.array([2, 2, 3, 4, 5])}
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)


@pytest.mark.parametrize("axis", [1, 2, 3, 4])
def test_tensors_of_four_axes_are_cut_along_any(axis):
    nodes = [
        node("Reshape", "x split", "a"),
        node("Slice", "a one end axis", "s"),
        node("Flatten", "s"),
    ]
    constants = {
        "split": np.array([2, 2, 3, 4, 5]),
        "one": np.array([1]),
        "end": np.array([3]),
        "axis": np.array([axis]),
    }
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)


@pytest.mark.parametrize("op_type", ["ReduceSum", "ReduceL1", "ReduceL2"])
@pytest.mark.parametrize("axes", [[1], [2, 3], [1, 2, 3]])
def test_sums_and_norms_along_some_axes_are_pools(op_type, axes):
    inputs = ["x axes"] if op_type == "ReduceSum" else ["x"]
    attributes = {} if op_type == "ReduceSum" else {"axes": axes}
    constants = {"axes": np.array(axes)} if op_type == "ReduceSum" else {}
    nodes = [node(op_type, *inputs, keepdims=1, **attributes)]
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)


def test_normalizations_of_weights_are_computed_once():
    nodes = [
        node("BatchNormalization", "w1 g b z v", "n mean variance", training_mode=1),
        node("Reshape", "n whole", "w"),
        node("Conv", "x w", "y"),
    ]
    constants = {
        "w1": normal(1, 4, 54),
        "g": normal(4, seed=1),
        "b": np.zeros(4, np.float32),
        "z": np.zeros(4, np.float32),
        "v": np.ones(4, np.float32),
        "whole": np.array([4, 6, 3, 3]),
    }
    found = assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)
    assert types_of(found) == ["conv"]


# ---- constants


@pytest.mark.parametrize("op_type", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("sides", [(6, 4, 5), (1, 4, 5), (4, 5), (1, 6, 1, 5)])
def test_a_constant_that_differs_from_pixel_to_pixel_is_a_row(op_type, sides):
    nodes = [node(op_type, "x k")]
    constants = {"k": np.abs(normal(*sides)) + 1}
    found = assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)
    assert "constant" in types_of(found)


def test_what_a_constant_is_taken_from_may_be_one():
    nodes = [node("Sub", "k x")]
    assert_same(model_of(nodes, [*SHAPE], {"k": normal(6, 4, 5)}), *SHAPE)


def test_a_position_goes_beside_the_image():
    nodes = [node("Concat", "x k", "c", axis=1), node("Conv", "c w")]
    constants = {"k": np.repeat(normal(1, 2, 4, 5), 2, axis=0), "w": normal(3, 8, 3, 3)}
    found = assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)
    assert types_of(found) == ["constant", "concat", "conv"]


def test_a_convolution_of_a_constant_is_a_row_too():
    nodes = [node("Conv", "k w", "c"), node("Add", "x c")]
    constants = {"k": normal(1, 2, 4, 5), "w": normal(6, 2, 1, 1)}
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)


def test_a_matrix_may_stand_first():
    assert_same(model_of([node("MatMul", "k x")], [*SHAPE], {"k": normal(3, 4)}), *SHAPE)


def test_a_stack_of_matrices_is_one_for_each_part():
    assert_same(model_of([node("MatMul", "x k")], [*SHAPE], {"k": normal(1, 6, 5, 3)}), *SHAPE)
