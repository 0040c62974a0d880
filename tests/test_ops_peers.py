"""
Each operator against PyTorch in float64, and against ONNX Runtime in float32.

The definitions' loops say that we compute what we say; these say that it is what others compute.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from op_strategies import CASES, accepted, pairs
from peers import FLOAT32, nchw, nhwc, normal, one_node

from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.padding import Padding
from cnndsl.ops.text import parse_op
from cnndsl.types import f32

pytestmark = pytest.mark.peers

paddings = st.builds(lambda v, h: Padding("explicit", ((v, v), (h, h))), *[st.integers(0, 2)] * 2)


def symmetric(op):
    """The padding as (vertical, horizontal), where both ends of an axis have the same."""
    (top, bottom), (left, right) = op.padding.sides
    assume(op.padding.mode in ("valid", "explicit") and top == bottom and left == right)
    return top, left


def within_half_a_kernel(op):
    return all(2 * side <= k for side, k in zip(symmetric(op), op.kernel, strict=True))


# ---- PyTorch


@given(case=CASES["conv"])
def test_conv_is_torchs(torch, case):
    op, (x_type,) = case
    x = normal(2, *x_type.shape)
    weights = {p.name: normal(*p.shape, seed=1) for p in op.params(x_type)}
    (top, bottom), (left, right) = op.window.sides(x_type.height_width)
    padded = torch.nn.functional.pad(torch.from_numpy(nchw(x)), (left, right, top, bottom))
    mask = op.params(x_type)[0].mask
    weight = weights["weight"] * (1 if mask is None else mask)
    bias = torch.from_numpy(weights["bias"]) if op.bias else None
    y = torch.nn.functional.conv2d(
        padded,
        torch.from_numpy(weight),
        bias,
        stride=op.stride,
        dilation=op.dilation,
        groups=op.groups,
    )
    np.testing.assert_allclose(op.evaluate(x, **weights), nhwc(y), rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch: it copies the image first
@given(kernel=pairs(1, 4), dilation=pairs(1, 3), image=pairs(1, 9))
def test_same_upper_at_stride_one_is_torchs_same(torch, kernel, dilation, image):
    op = Conv(2, kernel, (1, 1), Padding("same_upper"), dilation, bias=False)
    x, weight = normal(1, *image, 3), normal(2, 3, *kernel, seed=1)
    y = torch.nn.functional.conv2d(
        torch.from_numpy(nchw(x)), torch.from_numpy(weight), padding="same", dilation=dilation
    )
    np.testing.assert_allclose(op.evaluate(x, weight=weight), nhwc(y), rtol=1e-12, atol=1e-12)


@given(
    op=st.builds(
        MaxPool,
        pairs(1, 4),
        pairs(1, 4),
        paddings,
        pairs(1, 2),
        st.sampled_from(["floor", "ceil"]),
    ),
    image=pairs(1, 9),
)
def test_max_pooling_is_torchs(torch, op, image):
    assume(within_half_a_kernel(op) and accepted(op, f32(*image, 2)))
    x = normal(2, *image, 2)
    y = torch.nn.functional.max_pool2d(
        torch.from_numpy(nchw(x)),
        op.kernel,
        op.stride,
        symmetric(op),
        op.dilation,
        ceil_mode=op.rounding == "ceil",
    )
    np.testing.assert_array_equal(op.evaluate(x), nhwc(y))


@given(
    op=st.builds(
        AvgPool,
        pairs(1, 4),
        pairs(1, 4),
        paddings,
        rounding=st.sampled_from(["floor", "ceil"]),
        divisor=st.sampled_from(["inside", "padded"]),
    ),
    image=pairs(1, 9),
)
def test_average_pooling_is_torchs(torch, op, image):
    assume(within_half_a_kernel(op) and accepted(op, f32(*image, 2)))
    x = normal(2, *image, 2)
    y = torch.nn.functional.avg_pool2d(
        torch.from_numpy(nchw(x)),
        op.kernel,
        op.stride,
        symmetric(op),
        ceil_mode=op.rounding == "ceil",
        count_include_pad=op.divisor == "padded",
    )
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("maps", [1, 3, 8])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
def test_lrn_of_a_size_aligned_as_torch_is_torchs(torch, size, maps):
    op = Lrn(alpha=0.7, beta=0.75, k=1.5, size=size, align="torch")
    x = normal(2, 3, 2, maps)
    y = torch.nn.functional.local_response_norm(torch.from_numpy(nchw(x)), size, 0.7, 0.75, 1.5)
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), rtol=1e-12)


@pytest.mark.parametrize("function", ["relu", "tanh", "sigmoid"])
def test_activations_are_torchs(torch, function):
    x = 20 * normal(3, 4, 5, 6)
    y = getattr(torch, function)(torch.from_numpy(x))
    ours = parse_op(f"activation activation={function}").evaluate(x)
    np.testing.assert_allclose(ours, y.numpy(), rtol=1e-13)


@pytest.mark.parametrize("shape", [(3, 7), (2, 4, 5, 6)])
def test_softmax_is_torchs_over_the_maps(torch, shape):
    x = 20 * normal(*shape)
    y = torch.softmax(torch.from_numpy(x if len(shape) == 2 else nchw(x)), dim=1)
    ours = parse_op("activation activation=softmax").evaluate(x)
    np.testing.assert_allclose(ours, y.numpy() if len(shape) == 2 else nhwc(y), rtol=1e-12)


@pytest.mark.parametrize("order", ["hwc", "chw"])
def test_dense_behind_an_image_is_torchs_on_that_layout(torch, order):
    x = normal(2, 3, 4, 5)
    weight, bias = normal(7, 60, seed=1), normal(7, seed=2)
    vector = torch.flatten(torch.from_numpy(nchw(x) if order == "chw" else x), 1)
    y = torch.nn.functional.linear(vector, torch.from_numpy(weight), torch.from_numpy(bias))
    ours = Dense(7).evaluate(Flatten(order).evaluate(x), weight=weight, bias=bias)
    np.testing.assert_allclose(ours, y.numpy(), rtol=1e-12)


@pytest.mark.parametrize("distance", ["euclidean", "squared"])
def test_rbf_is_torchs_distance(torch, distance):
    x, centres = normal(5, 84), np.sign(normal(10, 84, seed=1))
    exactly = "donot_use_mm_for_euclid_dist"
    y = torch.cdist(torch.from_numpy(x), torch.from_numpy(centres), compute_mode=exactly).numpy()
    ours = parse_op(f"rbf maps=10 distance={distance}").evaluate(x, weight=centres)
    np.testing.assert_allclose(ours, y if distance == "euclidean" else y**2, rtol=1e-12)


def test_global_pools_are_torchs(torch):
    x = normal(2, 5, 4, 3)
    t = torch.from_numpy(nchw(x))
    average, largest = (
        getattr(torch.nn.functional, f"adaptive_{kind}_pool2d")(t, 1) for kind in ("avg", "max")
    )
    np.testing.assert_allclose(parse_op("globalavgpool").evaluate(x), nhwc(average), rtol=1e-12)
    np.testing.assert_array_equal(parse_op("globalmaxpool").evaluate(x), nhwc(largest))


def test_subsampling_is_torchs_sum_pool_scaled_and_shifted(torch):
    x, weight, bias = normal(2, 6, 6, 3), normal(3, seed=1), normal(3, seed=2)
    sums = torch.nn.functional.avg_pool2d(torch.from_numpy(nchw(x)), 2, divisor_override=1)
    ours = parse_op("subsample kernel=2 stride=2").evaluate(x, weight=weight, bias=bias)
    np.testing.assert_allclose(ours, weight * nhwc(sums) + bias, rtol=1e-12, atol=1e-12)


# ---- ONNX Runtime

ONNX_PADDING = {"valid": "VALID", "same_upper": "SAME_UPPER", "same_lower": "SAME_LOWER"}


def onnx_window(op):
    """A window's attributes in ONNX's words."""
    assume(op.padding.mode != "same")
    if op.padding.mode.startswith("same"):
        # ONNX Runtime's `auto_pad` leaves the dilation out, and fails where strides skip cells.
        assume(op.dilation == (1, 1))
        assume(all(k >= s for k, s in zip(op.kernel, op.stride, strict=True)))
    options = {"kernel_shape": op.kernel, "strides": op.stride, "dilations": op.dilation}
    if op.padding.mode in ONNX_PADDING:
        return options | {"auto_pad": ONNX_PADDING[op.padding.mode]}
    (top, bottom), (left, right) = op.padding.sides
    return options | {"pads": [top, left, bottom, right]}


@given(case=CASES["conv"])
def test_conv_is_onnx_runtimes(onnx_node, case):
    op, (x_type,) = case
    window = onnx_window(op)
    x = normal(2, *x_type.shape)
    weights = {p.name: normal(*p.shape, seed=1) for p in op.params(x_type)}
    mask = op.params(x_type)[0].mask
    weight = weights["weight"] * (1 if mask is None else mask)
    bias = [weights["bias"]] if op.bias else []
    y = onnx_node("Conv", nchw(x), weight, *bias, group=op.groups, **window)
    np.testing.assert_allclose(op.evaluate(x, **weights), nhwc(y), **FLOAT32)


@given(case=CASES["maxpool"])
def test_max_pooling_is_onnx_runtimes(onnx_node, case):
    op, (x_type,) = case
    window = onnx_window(op) | {"ceil_mode": int(op.rounding == "ceil")}
    assume(op.rounding != "ceil_caffe" and pads_less_than_its_kernel(op))
    x = normal(2, *x_type.shape).astype(np.float32)
    y = onnx_node("MaxPool", nchw(x), **window)
    np.testing.assert_array_equal(op.evaluate(x.astype(np.float64)), nhwc(y))


@given(case=CASES["avgpool"])
def test_average_pooling_is_onnx_runtimes(onnx_node, case):
    op, (x_type,) = case
    window = onnx_window(op) | {"ceil_mode": int(op.rounding == "ceil")}
    assume(op.rounding != "ceil_caffe" and pads_less_than_its_kernel(op))
    x = normal(2, *x_type.shape)
    y = onnx_node("AveragePool", nchw(x), count_include_pad=int(op.divisor == "padded"), **window)
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), **FLOAT32)


def pads_less_than_its_kernel(op):
    sides = zip(op.padding.sides, op.kernel, strict=True)
    return all(max(side) < kernel for side, kernel in sides)


@pytest.mark.parametrize("maps", [1, 3, 8])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_lrn_of_an_odd_size_is_onnx_runtimes(onnx_node, size, maps):
    op = Lrn(alpha=0.7, beta=0.75, k=1.5, size=size)
    x = normal(2, 3, 2, maps)
    y = onnx_node("LRN", nchw(x), size=size, alpha=0.7, beta=0.75, bias=1.5)
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), **FLOAT32)


@pytest.mark.parametrize("size", [2, 4, 6])
def test_lrn_of_an_even_size_aligned_as_onnx_is_that_of_onnxs_reference(size):
    """ONNX Runtime refuses even sizes; the reference is right for as many maps as images."""
    reference = pytest.importorskip("onnx.reference")
    op = Lrn(alpha=0.7, beta=0.75, k=1.5, size=size, align="onnx")
    x = normal(5, 2, 3, 5)
    attributes = {"size": size, "alpha": 0.7, "beta": 0.75, "bias": 1.5}
    model, feed = one_node("LRN", [nchw(x)], attributes)
    (y,) = reference.ReferenceEvaluator(model).run(None, feed)
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), **FLOAT32)


@pytest.mark.parametrize("function", ["relu", "tanh", "sigmoid"])
def test_activations_are_onnx_runtimes(onnx_node, function):
    x = 5 * normal(3, 4, 5, 6)
    y = onnx_node(function.capitalize(), x)
    ours = parse_op(f"activation activation={function}").evaluate(x)
    np.testing.assert_allclose(ours, y, **FLOAT32)


def test_softmax_is_onnx_runtimes_over_the_maps(onnx_node):
    x = 5 * normal(2, 4, 5, 6)
    y = onnx_node("Softmax", nchw(x), axis=1)
    ours = parse_op("activation activation=softmax").evaluate(x)
    np.testing.assert_allclose(ours, nhwc(y), **FLOAT32)


def test_global_pools_are_onnx_runtimes(onnx_node):
    x = normal(2, 5, 4, 3)
    for row_type, operator in (
        ("globalavgpool", "GlobalAveragePool"),
        ("globalmaxpool", "GlobalMaxPool"),
    ):
        y = onnx_node(operator, nchw(x))
        np.testing.assert_allclose(parse_op(row_type).evaluate(x), nhwc(y), **FLOAT32)


def test_flattened_in_order_chw_a_dense_row_is_onnx_runtimes_gemm(onnx_node):
    x = normal(2, 3, 4, 5)
    weight, bias = normal(7, 60, seed=1), normal(7, seed=2)
    vector = onnx_node("Flatten", nchw(x), axis=1)
    y = onnx_node("Gemm", vector, weight, bias, transB=1)
    ours = Dense(7).evaluate(Flatten("chw").evaluate(x), weight=weight, bias=bias)
    np.testing.assert_allclose(ours, y, **FLOAT32)
