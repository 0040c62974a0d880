"""Formulas that exporters write as several nodes are read as the one row that they are."""

import math

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import numpy_helper
from onnx_models import assert_same, imported, model_of, node, normal, types_of

pytestmark = pytest.mark.peers

NUMBERS = {
    "half": 0.5,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "zero": 0.0,
    "six": 6.0,
    "sixth": 1 / 6,
    "root2": math.sqrt(2),
    "half_root": math.sqrt(0.5),
    "pi_root": math.sqrt(2 / math.pi),
    "small": 0.044715,
    "steep": 1.702,
    "outer": 1.7159,
    "two_thirds": 2 / 3,
    "epsilon": 1e-6,
}
ERF = [node("Div", "x root2", "a"), node("Erf", "a", "b"), node("Add", "b one", "c")]
SCALED_ERF = [node("Mul", "half_root x", "a"), node("Erf", "a", "b"), node("Add", "one b", "c")]
TANH = [
    node("Mul", "small d", "e"),
    node("Add", "x e", "f"),
    node("Mul", "f pi_root", "g"),
    node("Tanh", "g", "b"),
    node("Add", "b one", "c"),
    node("Mul", "x half", "h"),
    node("Mul", "h c"),
]
CLIP = [node("Add", "x three", "a"), node("Clip", "a zero six", "b")]

FUNCTIONS = {
    "x * (1 + erf) * half": ("gelu_erf", [*ERF, node("Mul", "x c", "d"), node("Mul", "d half")]),
    "x * (half * (1 + erf))": ("gelu_erf", [*ERF, node("Mul", "half c", "d"), node("Mul", "x d")]),
    "(x / 2) * (1 + erf)": (
        "gelu_erf",
        [*SCALED_ERF, node("Div", "x two", "d"), node("Mul", "c d")],
    ),
    "tanh of a power": ("gelu_tanh", [node("Pow", "x three", "d"), *TANH]),
    "tanh of products": (
        "gelu_tanh",
        [node("Mul", "x x", "s"), node("Mul", "x s", "d"), *TANH],
    ),
    "x * tanh(softplus(x))": (
        "mish",
        [node("Softplus", "x", "a"), node("Tanh", "a", "b"), node("Mul", "x b")],
    ),
    "1.7159 * tanh(2/3 * x)": (
        "scaled_tanh",
        [node("Mul", "x two_thirds", "a"), node("Tanh", "a", "b"), node("Mul", "b outer")],
    ),
    "x * clip(x + 3, 0, 6) / 6": (
        "hard_swish",
        [*CLIP, node("Mul", "x b", "c"), node("Div", "c six")],
    ),
    "x * (clip(x + 3, 0, 6) * 1/6)": (
        "hard_swish",
        [*CLIP, node("Mul", "b sixth", "c"), node("Mul", "x c")],
    ),
    "clip(x + 3, 0, 6) / 6": ("hard_sigmoid(1/6,0.5)", [*CLIP, node("Div", "b six")]),
}


def modelled(nodes, shape, **more):
    names = {name for made in nodes for name in made.input}
    constants = {name: np.float32(value) for name, value in NUMBERS.items() if name in names}
    return model_of(nodes, shape, constants | more)


@pytest.mark.parametrize("written", FUNCTIONS)
def test_a_function_is_found_however_its_factors_are_put_together(written):
    name, nodes = FUNCTIONS[written]
    found = assert_same(modelled(nodes, [2, 3, 4, 5]), 2, 3, 4, 5)
    assert [n.op.activation for n in found.graph.nodes[1:]] == [name]


def test_a_function_is_found_of_what_is_itself_a_product():
    nodes = [node("Mul", "z z", "x"), *ERF, node("Mul", "x c", "d"), node("Mul", "d half")]
    model = modelled(nodes, [2, 3, 4, 5])
    model.graph.input[0].name = "z"
    found = assert_same(model, 2, 3, 4, 5)
    assert types_of(found) == ["mul", "activation"]


def test_half_precision_numbers_are_those_of_the_formula():
    nodes = [*ERF, node("Mul", "x c", "d"), node("Mul", "d half")]
    model = modelled(nodes, [2, 3, 4, 5])
    for tensor in model.graph.initializer:
        if tensor.name == "root2":
            rounded = np.float32(np.float16(math.sqrt(2)))
            tensor.CopyFrom(numpy_helper.from_array(rounded, "root2"))
    assert [n.op.activation for n in imported(model).graph.nodes[1:]] == ["gelu_erf"]


def test_a_sigmoid_of_a_multiple_is_a_scaled_silu():
    nodes = [node("Mul", "x steep", "a"), node("Sigmoid", "a", "b"), node("Mul", "x b")]
    found = assert_same(modelled(nodes, [2, 3, 4, 5]), 2, 3, 4, 5)
    assert [n.op.activation for n in found.graph.nodes if n.op.row_type == "activation"] == ["silu"]


def layer_norm(axes, square):
    return [
        node("ReduceMean", "x", "mean", axes=axes),
        node("Sub", "x mean", "less"),
        node(*square, "square"),
        node("ReduceMean", "square", "variance", axes=axes),
        node("Add", "variance epsilon", "sum"),
        node("Sqrt", "sum", "deviation"),
        node("Div", "less deviation", "norm"),
        node("Mul", "norm weight", "scaled"),
        node("Add", "scaled bias"),
    ]


@pytest.mark.parametrize("square", [("Pow", "less two"), ("Mul", "less less")])
@pytest.mark.parametrize(
    ("axes", "shape", "sides"),
    [([1], (2, 6, 4, 5), (6, 1, 1)), ([-3], (2, 6, 4, 5), (6, 1, 1)), ([1], (2, 6), (6,))],
)
def test_a_layer_normalization_is_found_with_its_weight_and_bias(axes, shape, sides, square):
    nodes = layer_norm(axes, square)
    affine = {"weight": normal(*sides, seed=1), "bias": normal(*sides, seed=2)}
    found = assert_same(modelled(nodes, list(shape), **affine), *shape)
    assert types_of(found)[-1:] == ["layernorm"]


def test_means_along_different_axes_are_no_layer_normalization():
    nodes = layer_norm([1], ("Mul", "less less"))
    nodes[3] = node("ReduceMean", "square", "variance", axes=[2])
    model = modelled(nodes, [2, 6, 6, 5], weight=normal(6, 1, 1), bias=normal(6, 1, 1))
    assert "layernorm" not in types_of(assert_same(model, 2, 6, 6, 5))


@pytest.mark.parametrize("count", [2, 3])
def test_an_instance_normalization_of_groups_is_a_group_normalization(count):
    nodes = [
        node("Reshape", "x split", "groups"),
        node("InstanceNormalization", "groups ones zeros", "n", epsilon=1e-5),
        node("Reshape", "n whole", "image"),
        node("Mul", "image weight", "m"),
        node("Add", "m bias"),
    ]
    constants = {
        "split": np.array([0, count, -1]),
        "whole": np.array([2, 6, 4, 5]),
        "ones": np.ones(count, np.float32),
        "zeros": np.zeros(count, np.float32),
        "weight": normal(6, 1, 1, seed=1),
        "bias": normal(6, 1, 1, seed=2),
    }
    found = assert_same(model_of(nodes, [2, 6, 4, 5], constants), 2, 6, 4, 5)
    assert types_of(found) == ["groupnorm"]


def test_what_nothing_reads_needs_no_row():
    nodes = [node("NonZero", "x", "unread"), node("Relu", "x")]
    assert_same(model_of(nodes, [2, 3, 4, 5]), 2, 3, 4, 5)
