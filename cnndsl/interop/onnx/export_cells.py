"""Operators that compute cell by cell or weigh all cells, as ONNX nodes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnndsl.interop.onnx.emitting import Array, Call
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.dense import Dense
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.mul import Mul
from cnndsl.ops.prelu import Prelu
from cnndsl.ops.rbf import Rbf

_NAMED = {
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "selu": "Selu",
    "softplus": "Softplus",
    "hard_swish": "HardSwish",
    "abs": "Abs",
    "exp": "Exp",
}
_WITH_NUMBERS = {
    "leaky_relu": ("LeakyRelu", ("alpha",)),
    "elu": ("Elu", ("alpha",)),
    "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
}


def export_activation(call: Call, op: Activation) -> str:
    """The function of that name, or the formula in several nodes."""
    name, x = op.name, call.x
    if name in _NAMED:
        return call.result_of(_NAMED[name], [x])
    if name in _WITH_NUMBERS:
        op_type, names = _WITH_NUMBERS[name]
        return call.result_of(op_type, [x], **dict(zip(names, op.numbers, strict=True)))
    match name:
        case "softmax":
            return call.result_of("Softmax", [x], axis=1)
        case "log_softmax":
            return call.result_of("LogSoftmax", [x], axis=1)
        case "relu6" | "clip":
            low, high = op.numbers or (0.0, 6.0)
            return call.result_of(
                "Clip", [x, call.constant("low", low), call.constant("high", high)]
            )
        case "power":
            return _power(call, *op.numbers)
        case "silu":
            return call.result_of("Mul", [x, call.step("sigmoid", "Sigmoid", [x])])
        case "mish":
            softplus = call.step("softplus", "Softplus", [x])
            return call.result_of("Mul", [x, call.step("tanh", "Tanh", [softplus])])
        case "scaled_tanh":
            inner = call.step("scaled", "Mul", [x, call.constant("inner", 2 / 3)])
            tanh = call.step("tanh", "Tanh", [inner])
            return call.result_of("Mul", [tanh, call.constant("outer", 1.7159)])
        case "gelu_erf":
            scaled = call.step("scaled", "Mul", [x, call.constant("root", math.sqrt(0.5))])
            return _gelu(call, call.step("erf", "Erf", [scaled]))
        case "gelu_tanh":
            return _gelu(call, _gelu_tanh(call))
        case _:
            raise call.refuse(f"the function {name} is unknown there")


def _power(call: Call, exponent: float) -> str:
    """The root or the reciprocal that it is, else a Pow."""
    named = {0.5: "Sqrt", -1.0: "Reciprocal"}.get(exponent)
    if named is not None:
        return call.result_of(named, [call.x])
    return call.result_of("Pow", [call.x, call.constant("exponent", exponent)])


def _gelu(call: Call, curve: str) -> str:
    """`x / 2 * (1 + curve)`."""
    more = call.step("more", "Add", [curve, call.constant("one", 1.0)])
    half = call.step("half", "Mul", [call.x, call.constant("one_half", 0.5)])
    return call.result_of("Mul", [half, more])


def _gelu_tanh(call: Call) -> str:
    cube = call.step("cube", "Pow", [call.x, call.constant("three", 3.0)])
    small = call.step("small", "Mul", [cube, call.constant("factor", 0.044715)])
    inner = call.step("inner", "Add", [call.x, small])
    root = call.constant("root", math.sqrt(2 / math.pi))
    return call.step("tanh", "Tanh", [call.step("scaled", "Mul", [inner, root])])


def export_prelu(call: Call, op: Prelu) -> str:
    """A PRelu."""
    slopes = call.params["weight"]
    if call.operand.is_image:
        slopes = slopes.transpose(2, 0, 1) if op.slopes == "cell" else slopes.reshape(-1, 1, 1)
    return call.result_of("PRelu", [call.x, call.param("weight", np.ascontiguousarray(slopes))])


def export_add(call: Call, op: Add) -> str:
    """An Add, or a Sum of more than two."""
    return call.result_of("Add" if len(call.inputs) == 2 else "Sum", call.inputs)


def export_mul(call: Call, op: Mul) -> str:
    """A Mul for each factor after the first."""
    factors = list(call.inputs)
    vectors = [i for i, operand in enumerate(call.operands) if not operand.is_image]
    if call.result.is_image and vectors:
        axes = call.integers("axes", 2, 3)
        for i in vectors:
            factors[i] = call.step(f"image{i}", "Unsqueeze", [factors[i], axes])
    product = factors[0]
    for i, factor in enumerate(factors[1:-1], 1):
        product = call.step(f"product{i}", "Mul", [product, factor])
    return call.result_of("Mul", [product, factors[-1]])


def export_dense(call: Call, op: Dense) -> str:
    """A Gemm."""
    bias = [call.param("bias")] if op.bias else []
    return call.result_of("Gemm", [call.x, call.param("weight"), *bias], transB=1)


def export_rbf(call: Call, op: Rbf) -> str:
    """The norm of the differences to each centre, in nodes that no later opset writes otherwise."""
    row = call.step("row", "Unsqueeze", [call.x, call.integers("middle", 1)])
    less = call.step("less", "Sub", [row, call.param("weight")])
    squares = call.step("squares", "Mul", [less, less])
    summed = [squares, call.integers("last", 2)]
    if op.distance == "squared":
        return call.result_of("ReduceSum", summed, keepdims=0)
    return call.result_of("Sqrt", [call.step("sum", "ReduceSum", summed, keepdims=0)])


def export_lrn(call: Call, op: Lrn) -> str:
    """An LRN, or its formula where the window is not as long on both sides."""
    window, maps = op.neighbours(), call.operand.maps
    lower, upper = (min(side, maps - 1) for side in (window.lower, window.upper))
    if lower == upper:
        size = 2 * lower + 1
        numbers = {"alpha": window.scale * size, "beta": op.beta, "bias": op.k}
        return call.result_of("LRN", [call.x], size=size, **numbers)
    # Runtimes refuse even windows: the sum of squares is a 1x1 convolution of neighbouring maps.
    places = np.arange(maps)
    offset = places[None, :] - places[:, None]
    near = ((offset >= -lower) & (offset <= upper)) * window.scale
    squares = call.step("squares", "Mul", [call.x, call.x])
    band = call.constant("near", near[..., None, None])
    k = call.constant("k", np.full(maps, op.k))
    total = call.step("sum", "Conv", [squares, band, k])
    power = call.step("power", "Pow", [total, call.constant("beta", op.beta)])
    return call.result_of("Div", [call.x, power])


def export_batch_norm(call: Call, op: BatchNorm) -> str:
    """A BatchNormalization."""
    affine = _affine(call, (call.operand.maps,))
    statistics = [call.param("mean"), call.param("variance")]
    return call.result_of("BatchNormalization", [call.x, *affine, *statistics], epsilon=op.epsilon)


def export_instance_norm(call: Call, op: InstanceNorm) -> str:
    """An InstanceNormalization."""
    affine = _affine(call, (call.operand.maps,))
    return call.result_of("InstanceNormalization", [call.x, *affine], epsilon=op.epsilon)


def export_group_norm(call: Call, op: GroupNorm) -> str:
    """An InstanceNormalization of groups as if they were maps, then weight and bias."""
    height, width, maps = call.operand.shape
    groups = call.step("groups", "Reshape", [call.x, call.integers("split", 0, op.groups, -1)])
    plain = [call.constant("ones", np.ones(op.groups)), call.constant("zeros", np.zeros(op.groups))]
    inputs = [groups, *plain]
    norm = call.step("norm", "InstanceNormalization", inputs, epsilon=op.epsilon)
    shape = call.integers("shape", 0, maps, height, width)
    weight, bias = (
        call.constant(name, array.reshape(-1, 1, 1))
        for name, array in zip(("scale", "shift"), _affine_arrays(call, (maps,)), strict=True)
    )
    image = call.step("image", "Reshape", [norm, shape])
    return call.result_of("Add", [call.step("scaled", "Mul", [image, weight]), bias])


def export_layer_norm(call: Call, op: LayerNorm) -> str:
    """A LayerNormalization, of pixels between two transpositions."""
    norm: dict[str, Any] = {"epsilon": op.epsilon}
    if op.over == "image" and call.operand.is_image:
        affine = [
            call.constant(name, array.transpose(2, 0, 1))
            for name, array in zip(
                ("scale", "shift"), _affine_arrays(call, call.operand.shape), strict=True
            )
        ]
        return call.result_of("LayerNormalization", [call.x, *affine], axis=1, **norm)
    affine = _affine(call, (call.operand.maps,))
    if not call.operand.is_image:
        return call.result_of("LayerNormalization", [call.x, *affine], axis=1, **norm)
    pixels = call.step("pixels", "Transpose", [call.x], perm=[0, 2, 3, 1])
    y = call.step("norm", "LayerNormalization", [pixels, *affine], axis=3, **norm)
    return call.result_of("Transpose", [y], perm=[0, 3, 1, 2])


def _affine(call: Call, shape: tuple[int, ...]) -> list[str]:
    """The weight and the bias behind a normalization: ONNX wants both."""
    return [
        call.param(name) if name in call.params else call.constant(name, array)
        for name, array in zip(("weight", "bias"), _affine_arrays(call, shape), strict=True)
    ]


def _affine_arrays(call: Call, shape: tuple[int, ...]) -> tuple[Array, Array]:
    ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    return call.params.get("weight", ones), call.params.get("bias", zeros)
