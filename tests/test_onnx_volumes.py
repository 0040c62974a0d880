"""Windows that slide along three axes, as rows of images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_models import assert_same, model_of, node, normal, types_of

pytestmark = pytest.mark.peers

SHAPE = (2, 4, 5, 6, 7)


@st.composite
def windows(draw, dilated=True):
    """Attributes of a window along three axes of `SHAPE`, of which some cells lie inside."""
    kernel = [draw(st.integers(1, 3)) for _ in range(3)]
    found = {
        "kernel_shape": kernel,
        "strides": [draw(st.integers(1, 3)) for _ in range(3)],
        "dilations": [draw(st.integers(1, 2)) if dilated else 1 for _ in range(3)],
    }
    if draw(st.booleans()):
        found["pads"] = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    elif draw(st.booleans()) and not dilated:
        found["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    return found


@settings(max_examples=40)
@given(window=windows() | windows(dilated=False), groups=st.sampled_from([1, 2, 4]))
def test_a_convolution_of_a_volume_is_a_sum_of_convolutions(window, groups):
    constants = {"w": normal(8, 4 // groups, *window["kernel_shape"]), "b": normal(8, seed=1)}
    model = model_of([node("Conv", "x w b", group=groups, **window)], [*SHAPE], constants)
    assert_same(model, *SHAPE)


@settings(max_examples=40)
@given(window=windows(), groups=st.sampled_from([1, 2, 4]), more=st.tuples(*[st.booleans()] * 3))
def test_a_transposed_convolution_of_a_volume_is_one_of_planes_and_one_across(window, groups, more):
    # ONNX Runtime allows less than the stride, whatever the dilation.
    window["output_padding"] = [
        int(m and n > 1) for m, n in zip(more, window["strides"], strict=True)
    ]
    constants = {"w": normal(4, 3, *window["kernel_shape"]), "b": normal(3 * groups, seed=1)}
    nodes = [node("ConvTranspose", "x w b", group=groups, **window)]
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)


@pytest.mark.parametrize(
    "attributes",
    [
        {"auto_pad": "SAME_UPPER", "strides": [2, 2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [1, 2, 3]},
        {"auto_pad": "VALID", "strides": [2, 1, 2]},
        {"output_shape": [9, 12, 15], "strides": [2, 2, 2]},
    ],
)
def test_a_transposed_convolution_of_a_volume_has_the_size_that_is_asked_for(attributes):
    nodes = [node("ConvTranspose", "x w", **attributes)]
    assert_same(model_of(nodes, [*SHAPE], {"w": normal(4, 2, 3, 3, 3)}), *SHAPE)


def test_planes_that_are_transposed_each_by_itself_are_one_row():
    nodes = [node("ConvTranspose", "x w b", strides=[1, 2, 2])]
    constants = {"w": normal(4, 3, 1, 2, 2), "b": normal(3, seed=1)}
    found = assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)
    assert types_of(found) == ["convtranspose"]


@settings(max_examples=40)
@given(
    window=windows() | windows(dilated=False),
    op_type=st.sampled_from(["MaxPool", "AveragePool", "LpPool"]),
    more=st.booleans(),
)
def test_a_pool_of_a_volume_is_two_pools(window, op_type, more):
    attributes = {
        "MaxPool": {},
        "AveragePool": {"count_include_pad": int(more)},
        "LpPool": {"p": 2 + more},
    }
    model = model_of([node(op_type, "x", **window, **attributes[op_type])], [*SHAPE], opset=19)
    found = assert_same(model, *SHAPE)
    assert sum("pool" in row_type for row_type in types_of(found)) == 2


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool"])
def test_a_pool_of_a_volume_that_rounds_up_is_two_pools(op_type):
    nodes = [node(op_type, "x", kernel_shape=[2, 3, 2], strides=[2, 2, 2], ceil_mode=1)]
    assert_same(model_of(nodes, [*SHAPE]), *SHAPE)


def test_filters_across_the_planes_are_one_convolution():
    constants = {"w": normal(8, 4, 3, 1, 1)}
    nodes = [node("Conv", "x w", pads=[1, 0, 0, 1, 0, 0], strides=[2, 1, 1])]
    found = assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)
    assert types_of(found).count("conv") == 1


def test_a_network_of_volumes_runs_to_its_end():
    nodes = [
        node("Conv", "x w1", "a", pads=[1] * 6),
        node("BatchNormalization", "a g b m v", "n"),
        node("Relu", "n", "r"),
        node("Conv", "r w2", "c", pads=[1] * 6, strides=[2, 2, 2]),
        node("Conv", "r w3", "s", strides=[2, 2, 2]),
        node("Add", "c s", "d"),
        node("GlobalAveragePool", "d", "p"),
        node("Flatten", "p", "f"),
        node("Gemm", "f w4", "y", transB=1),
    ]
    constants = {
        "w1": normal(6, 4, 3, 3, 3),
        "w2": normal(8, 6, 3, 3, 3, seed=1),
        "w3": normal(8, 6, 1, 1, 1, seed=2),
        "w4": normal(3, 8, seed=3),
        **{name: normal(6, seed=i) for i, name in enumerate("gbm")},
        "v": np.abs(normal(6)) + 1,
    }
    assert_same(model_of(nodes, [*SHAPE], constants), *SHAPE)
