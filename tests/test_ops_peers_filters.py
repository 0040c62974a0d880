"""Depthwise and transposed convolution and LP pools, against PyTorch and ONNX Runtime."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from op_cases import CASES, random_weights
from op_strategies import pairs
from peers import FLOAT32, nchw, nhwc, normal

from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.padding import Padding
from cnndsl.ops.text import parse_op
from cnndsl.types import f32

pytestmark = pytest.mark.peers


def weights_of(op, x_type):
    return random_weights(op.params(x_type), np.random.default_rng(1))


@given(case=CASES["depthwise"])
def test_depthwise_is_torchs_convolution_in_groups(torch, case):
    op, (x_type,) = case
    x, weights = normal(2, *x_type.shape), weights_of(op, x_type)
    (top, bottom), (left, right) = op.window.sides(x_type.height_width)
    padded = torch.nn.functional.pad(torch.from_numpy(nchw(x)), (left, right, top, bottom))
    y = torch.nn.functional.conv2d(
        padded,
        torch.from_numpy(weights["weight"]),
        torch.from_numpy(weights["bias"]) if op.bias else None,
        stride=op.stride,
        dilation=op.dilation,
        groups=x_type.maps,
    )
    np.testing.assert_allclose(op.evaluate(x, **weights), nhwc(y), rtol=1e-12, atol=1e-12)


def test_separable_is_two_of_torchs_convolutions(torch):
    op, x_type = parse_op("separable maps=5 kernel=3 stride=2 padding=1 multiplier=2"), f32(7, 6, 3)
    x, weights = normal(2, *x_type.shape), weights_of(op, x_type)
    assert {name: array.shape for name, array in weights.items()} == {
        "depthwise.weight": (6, 1, 3, 3),
        "pointwise.weight": (5, 6, 1, 1),
        "pointwise.bias": (5,),
    }
    given = {name: torch.from_numpy(array) for name, array in weights.items()}
    conv2d = torch.nn.functional.conv2d
    middle = conv2d(
        torch.from_numpy(nchw(x)), given["depthwise.weight"], stride=2, padding=1, groups=3
    )
    y = conv2d(middle, given["pointwise.weight"], given["pointwise.bias"])
    np.testing.assert_allclose(op.evaluate(x, **weights), nhwc(y), rtol=1e-12, atol=1e-12)


@given(case=CASES["convtranspose"])
def test_transposed_convolution_is_torchs(torch, case):
    op, (x_type,) = case
    (top, bottom), (left, right) = op.cuts()
    assume(op.padding.mode in ("valid", "explicit"))
    sides = op.padding.sides
    assume(all(begin == end for begin, end in sides))
    x, weights = normal(2, *x_type.shape), weights_of(op, x_type)
    y = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(nchw(x)),
        torch.from_numpy(weights["weight"]),
        torch.from_numpy(weights["bias"]) if op.bias else None,
        stride=op.stride,
        padding=(top, left),
        output_padding=(top - bottom, left - right),
        dilation=op.dilation,
        groups=op.groups,
    )
    np.testing.assert_allclose(op.evaluate(x, **weights), nhwc(y), rtol=1e-12, atol=1e-12)


@given(
    kernel=pairs(1, 4),
    stride=pairs(1, 3),
    odd=st.sampled_from(["same_upper", "same_lower"]),
    image=pairs(2, 6),
)
def test_same_is_what_the_gradient_of_a_same_convolution_has(torch, kernel, stride, odd, image):
    """Keras: Conv2DTranspose is the gradient of Conv2D with the same arguments."""
    assume(all(k >= s for k, s in zip(kernel, stride, strict=True)))
    op = ConvTranspose(2, kernel, stride, Padding(odd), bias=False)
    x, weight = normal(1, *image, 3), normal(3, 2, *kernel, seed=1)
    larger = image[0] * stride[0], image[1] * stride[1]
    sides = Conv(3, kernel, stride, Padding(odd)).window.sides(larger)
    full = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(nchw(x)), torch.from_numpy(weight), stride=stride
    )
    (top, bottom), (left, right) = sides
    rows, columns = full.shape[2:]
    y = full[:, :, top : rows - bottom, left : columns - right]
    np.testing.assert_allclose(op.evaluate(x, weight=weight), nhwc(y), rtol=1e-12, atol=1e-12)


@given(case=CASES["convtranspose"])
def test_transposed_convolution_is_onnx_runtimes(onnx_node, case):
    op, (x_type,) = case
    assume(op.padding.mode != "same")
    # ONNX Runtime refuses what only the dilation allows.
    assume(all(more < step for more, step in zip(op.output_padding, op.stride, strict=True)))
    options = {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "dilations": op.dilation,
        "group": op.groups,
    }
    if op.padding.mode.startswith("same"):
        options["auto_pad"] = op.padding.mode.upper()
    else:
        (top, bottom), (left, right) = op.padding.sides
        options |= {"pads": [top, left, bottom, right], "output_padding": op.output_padding}
    x, weights = normal(2, *x_type.shape), weights_of(op, x_type)
    y = onnx_node("ConvTranspose", nchw(x), *weights.values(), **options)
    np.testing.assert_allclose(op.evaluate(x, **weights), nhwc(y), **FLOAT32)


@given(
    op=st.builds(LpPool, pairs(1, 3), pairs(1, 3), p=st.sampled_from([2.0, 4.0])),
    image=pairs(3, 8),
)
def test_pools_of_even_norms_are_torchs(torch, op, image):
    x = normal(2, *image, 3)
    y = torch.nn.functional.lp_pool2d(torch.from_numpy(nchw(x)), op.p, op.kernel, op.stride)
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), rtol=1e-11)


@given(case=CASES["lppool"])
def test_lp_pools_are_onnx_runtimes(onnx_node, case):
    op, (x_type,) = case
    assume(op.p == int(op.p) and op.padding.mode in ("valid", "explicit"))
    (top, bottom), (left, right) = op.padding.sides
    assume(all(max(s) < k for s, k in zip(op.padding.sides, op.kernel, strict=True)))
    assume(op.rounding == "floor")
    x = normal(2, *x_type.shape)
    y = onnx_node(
        "LpPool",
        nchw(x),
        kernel_shape=op.kernel,
        strides=op.stride,
        dilations=op.dilation,
        pads=[top, left, bottom, right],
        p=int(op.p),
    )
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), **FLOAT32)
