"""Operators that compute cell by cell, against PyTorch in float64 and ONNX Runtime in float32."""

import numpy as np
import pytest
from peers import FLOAT32, nchw, nhwc, normal

from cnndsl.ops.activation import Activation
from cnndsl.ops.function_kind import FunctionKind
from cnndsl.ops.text import parse_op

pytestmark = pytest.mark.peers

TORCH_FUNCTIONS = {
    "relu6": ("relu6", {}),
    "clip(-1,2)": ("hardtanh", {"min_val": -1.0, "max_val": 2.0}),
    "leaky_relu(0.01)": ("leaky_relu", {}),
    "leaky_relu(0.3)": ("leaky_relu", {"negative_slope": 0.3}),
    "elu": ("elu", {}),
    "elu(0.5)": ("elu", {"alpha": 0.5}),
    "selu": ("selu", {}),
    "silu": ("silu", {}),
    "gelu_erf": ("gelu", {}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
    "hard_sigmoid(1/6,0.5)": ("hardsigmoid", {}),
    "hard_swish": ("hardswish", {}),
    "mish": ("mish", {}),
}

ONNX_FUNCTIONS = {
    "leaky_relu(0.01)": ("LeakyRelu", {}),
    "leaky_relu(0.3)": ("LeakyRelu", {"alpha": 0.3}),
    "elu": ("Elu", {}),
    "elu(0.5)": ("Elu", {"alpha": 0.5}),
    "selu": ("Selu", {}),
    "gelu_erf": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "hard_sigmoid(0.2,0.5)": ("HardSigmoid", {}),
    "hard_sigmoid(1/6,0.5)": ("HardSigmoid", {"alpha": 1 / 6}),
    "hard_swish": ("HardSwish", {}),
    "softplus": ("Softplus", {}),
    "mish": ("Mish", {}),
    "abs": ("Abs", {}),
    "exp": ("Exp", {}),
    "power(-1)": ("Reciprocal", {}),
}


def ours(function, x):
    return Activation(FunctionKind().parse(function)).evaluate(x)


@pytest.mark.parametrize("function", TORCH_FUNCTIONS)
def test_a_function_is_torchs(torch, function):
    name, options = TORCH_FUNCTIONS[function]
    x = 5 * normal(3, 4, 5, 6)
    y = getattr(torch.nn.functional, name)(torch.from_numpy(x), **options)
    np.testing.assert_allclose(ours(function, x), y.numpy(), rtol=1e-12, atol=1e-14)


def test_softplus_is_torchs_up_to_its_threshold(torch):
    """PyTorch returns x itself from 20 on, which is exp(-20) = 2e-9 less."""
    x = 10 * normal(3, 4, 5, 6)
    y = torch.nn.functional.softplus(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours("softplus", x), y, rtol=1e-12, atol=2.1e-9)


def test_log_softmax_is_torchs_over_the_maps(torch):
    x = 20 * normal(2, 4, 5, 6)
    y = torch.log_softmax(torch.from_numpy(nchw(x)), dim=1)
    np.testing.assert_allclose(ours("log_softmax", x), nhwc(y), rtol=1e-12)


@pytest.mark.parametrize("function", ONNX_FUNCTIONS)
def test_a_function_is_onnx_runtimes(onnx_node, function):
    name, options = ONNX_FUNCTIONS[function]
    x = 5 * normal(3, 4, 5, 6)
    np.testing.assert_allclose(ours(function, x), onnx_node(name, x, **options), **FLOAT32)


@pytest.mark.parametrize("exponent", [-2, -0.5, 0.5, 1.5, 2, 3])
def test_power_is_torchs_and_onnx_runtimes(torch, onnx_node, exponent):
    x = np.abs(5 * normal(3, 4, 5, 6)) + 0.1
    y = ours(f"power({exponent})", x)
    np.testing.assert_allclose(y, torch.pow(torch.from_numpy(x), exponent), rtol=1e-12)
    np.testing.assert_allclose(y, onnx_node("Pow", x, np.float32(exponent)), **FLOAT32)
    if exponent == 0.5:
        np.testing.assert_allclose(y, onnx_node("Sqrt", x), **FLOAT32)


def test_clip_is_onnx_runtimes(onnx_node):
    x = 5 * normal(3, 4, 5, 6)
    y = onnx_node("Clip", x, np.float32(-1), np.float32(2))
    np.testing.assert_allclose(ours("clip(-1,2)", x), y, **FLOAT32)


def test_log_softmax_is_onnx_runtimes_over_the_maps(onnx_node):
    x = 5 * normal(2, 4, 5, 6)
    y = onnx_node("LogSoftmax", nchw(x), axis=1)
    np.testing.assert_allclose(ours("log_softmax", x), nhwc(y), **FLOAT32)


def test_add_is_torchs_and_onnx_runtimes(torch, onnx_node):
    x = [normal(2, 3, 4, 5, seed=seed) for seed in range(3)]
    y = parse_op("add").evaluate(*x)
    np.testing.assert_array_equal(y, sum(map(torch.from_numpy, x[1:]), torch.from_numpy(x[0])))
    np.testing.assert_allclose(y, onnx_node("Sum", *x), **FLOAT32)


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 5), (3, 4, 1), (1, 4, 5)])
def test_mul_is_torchs_and_onnx_runtimes_with_their_broadcasting(torch, onnx_node, shape):
    x, gate = normal(2, 3, 4, 5), normal(2, *shape, seed=1)
    y = parse_op("mul").evaluate(gate, x)
    theirs = torch.from_numpy(nchw(x)) * torch.from_numpy(nchw(gate))
    np.testing.assert_array_equal(y, nhwc(theirs))
    np.testing.assert_allclose(y, nhwc(onnx_node("Mul", nchw(x), nchw(gate))), **FLOAT32)


@pytest.mark.parametrize(("axis", "place"), [("maps", 1), ("height", 2), ("width", 3)])
def test_concat_is_torchs_and_onnx_runtimes(torch, onnx_node, axis, place):
    x, more = normal(2, 4, 4, 4), normal(2, 4, 4, 4, seed=1)
    y = parse_op(f"concat axis={axis}").evaluate(x, more)
    theirs = torch.cat([torch.from_numpy(nchw(x)), torch.from_numpy(nchw(more))], dim=place)
    np.testing.assert_array_equal(y, nhwc(theirs))
    np.testing.assert_allclose(
        y, nhwc(onnx_node("Concat", nchw(x), nchw(more), axis=place)), **FLOAT32
    )


def batch_norm_weights():
    return {
        "weight": normal(6, seed=1),
        "bias": normal(6, seed=2),
        "mean": normal(6, seed=3),
        "variance": normal(6, seed=4) ** 2,
    }


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
def test_batchnorm_is_torchs_and_onnx_runtimes(torch, onnx_node, epsilon):
    x, weights = normal(2, 4, 5, 6), batch_norm_weights()
    y = parse_op(f"batchnorm epsilon={epsilon}").evaluate(x, **weights)
    given = {name: torch.from_numpy(array) for name, array in weights.items()}
    theirs = torch.nn.functional.batch_norm(
        torch.from_numpy(nchw(x)),
        given["mean"],
        given["variance"],
        given["weight"],
        given["bias"],
        eps=epsilon,
    )
    np.testing.assert_allclose(y, nhwc(theirs), rtol=1e-12, atol=1e-13)
    onnx = onnx_node("BatchNormalization", nchw(x), *weights.values(), epsilon=epsilon)
    np.testing.assert_allclose(y, nhwc(onnx), **FLOAT32)


def test_groupnorm_is_torchs_and_onnx_runtimes(torch, onnx_node):
    x, weight, bias = normal(2, 4, 5, 6), normal(6, seed=1), normal(6, seed=2)
    y = parse_op("groupnorm groups=3 epsilon=1e-5").evaluate(x, weight=weight, bias=bias)
    theirs = torch.nn.functional.group_norm(
        torch.from_numpy(nchw(x)), 3, torch.from_numpy(weight), torch.from_numpy(bias)
    )
    np.testing.assert_allclose(y, nhwc(theirs), rtol=1e-11, atol=1e-13)
    onnx = onnx_node("GroupNormalization", nchw(x), weight, bias, num_groups=3)
    np.testing.assert_allclose(y, nhwc(onnx), **FLOAT32)


def test_instancenorm_is_torchs_and_onnx_runtimes(torch, onnx_node):
    x, weight, bias = normal(2, 4, 5, 6), normal(6, seed=1), normal(6, seed=2)
    plain = parse_op("instancenorm affine=no epsilon=1e-5").evaluate(x)
    theirs = torch.nn.functional.instance_norm(torch.from_numpy(nchw(x)))
    np.testing.assert_allclose(plain, nhwc(theirs), rtol=1e-11, atol=1e-13)
    y = parse_op("instancenorm affine=yes epsilon=1e-5").evaluate(x, weight=weight, bias=bias)
    onnx = onnx_node("InstanceNormalization", nchw(x), weight, bias, epsilon=1e-5)
    np.testing.assert_allclose(y, nhwc(onnx), **FLOAT32)


@pytest.mark.parametrize("over", ["maps", "image"])
def test_layernorm_is_torchs_and_onnx_runtimes(torch, onnx_node, over):
    x = normal(2, 4, 5, 6)
    shape = (6,) if over == "maps" else (4, 5, 6)
    weight, bias = normal(*shape, seed=1), normal(*shape, seed=2)
    y = parse_op(f"layernorm over={over} epsilon=1e-5").evaluate(x, weight=weight, bias=bias)
    theirs = torch.nn.functional.layer_norm(
        torch.from_numpy(x), shape, torch.from_numpy(weight), torch.from_numpy(bias)
    )
    np.testing.assert_allclose(y, theirs.numpy(), rtol=1e-11, atol=1e-13)
    axis = 3 if over == "maps" else 1
    onnx = onnx_node("LayerNormalization", x, weight, bias, axis=axis, epsilon=1e-5)
    np.testing.assert_allclose(y, onnx, **FLOAT32)


def test_layernorm_of_an_image_in_torchs_order_has_turned_weights(torch):
    x, weight = normal(2, 4, 5, 6), normal(4, 5, 6, seed=1)
    y = parse_op("layernorm over=image epsilon=1e-5 bias=no").evaluate(x, weight=weight)
    theirs = torch.nn.functional.layer_norm(
        torch.from_numpy(nchw(x)), (6, 4, 5), torch.from_numpy(weight.transpose(2, 0, 1).copy())
    )
    np.testing.assert_allclose(y, nhwc(theirs), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("slopes", "count"), [("map", 6), ("one", 1)])
def test_prelu_is_torchs_and_onnx_runtimes(torch, onnx_node, slopes, count):
    x, weight = normal(2, 4, 5, 6), normal(count, seed=1)
    y = parse_op(f"prelu slopes={slopes}").evaluate(x, weight=weight)
    theirs = torch.nn.functional.prelu(torch.from_numpy(nchw(x)), torch.from_numpy(weight))
    np.testing.assert_allclose(y, nhwc(theirs), rtol=1e-13)
    onnx = onnx_node("PRelu", nchw(x), weight.reshape(-1, 1, 1))
    np.testing.assert_allclose(y, nhwc(onnx), **FLOAT32)


def test_prelu_of_each_cell_is_onnx_runtimes(onnx_node):
    x, weight = normal(2, 4, 5, 6), normal(4, 5, 6, seed=1)
    y = parse_op("prelu slopes=cell").evaluate(x, weight=weight)
    onnx = onnx_node("PRelu", nchw(x), weight.transpose(2, 0, 1))
    np.testing.assert_allclose(y, nhwc(onnx), **FLOAT32)
