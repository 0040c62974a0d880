"""Padding, slices, shuffles, reshapes and resizes, against PyTorch and ONNX Runtime."""

import numpy as np
import pytest
from hypothesis import assume, given
from op_cases import CASES
from op_strategies import pairs
from peers import FLOAT32, nchw, nhwc, normal

from cnndsl.ops.resize import Resize
from cnndsl.ops.text import parse_op

pytestmark = pytest.mark.peers

TORCH_MODES = {
    "zeros": "constant",
    "constant": "constant",
    "reflect": "reflect",
    "edge": "replicate",
}
ONNX_MODES = {"zeros": "constant", "constant": "constant", "reflect": "reflect", "edge": "edge"}
ONNX_ROUNDINGS = {"half_down": "round_prefer_floor", "half_up": "round_prefer_ceil"}


@given(case=CASES["pad"])
def test_pad_is_torchs_and_onnx_runtimes(torch, onnx_node, case):
    op, (x_type,) = case
    x = normal(2, *x_type.shape)
    (top, bottom), (left, right) = op.padding
    value = {} if op.value is None else {"value": op.value}
    theirs = torch.nn.functional.pad(
        torch.from_numpy(nchw(x)), (left, right, top, bottom), TORCH_MODES[op.mode], **value
    )
    np.testing.assert_array_equal(op.evaluate(x), nhwc(theirs))
    pads = np.array([0, 0, top, left, 0, 0, bottom, right])
    y = onnx_node("Pad", nchw(x), pads, np.float32(op.value or 0), mode=ONNX_MODES[op.mode])
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), **FLOAT32)


@given(case=CASES["slice"])
def test_slice_is_onnx_runtimes(onnx_node, case):
    op, (x_type,) = case
    assume(x_type.is_image)
    x = normal(2, *x_type.shape)
    places = op.places(x_type)
    begins, ends, steps = (
        np.array([getattr(p, word) for p in places]) for word in ("start", "stop", "step")
    )
    y = onnx_node("Slice", nchw(x), begins, ends, np.array([2, 3, 1]), steps)
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), **FLOAT32)


def test_a_split_is_several_slices(torch):
    x = normal(2, 4, 5, 6)
    parts = [parse_op(f"slice map_range={r}").evaluate(x) for r in (":2", "2:4", "4:")]
    for ours, theirs in zip(parts, torch.chunk(torch.from_numpy(nchw(x)), 3, dim=1), strict=True):
        np.testing.assert_array_equal(ours, nhwc(theirs))


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_shuffle_is_torchs(torch, groups):
    x = normal(2, 4, 5, 6)
    y = torch.nn.functional.channel_shuffle(torch.from_numpy(nchw(x)), groups)
    np.testing.assert_array_equal(parse_op(f"shuffle groups={groups}").evaluate(x), nhwc(y))


@pytest.mark.parametrize(("shape", "to"), [((24,), (2, 3, 4)), ((4, 3, 2), (1, 6, 4))])
def test_reshape_in_order_chw_is_torchs_and_in_hwc_that_of_channels_last(torch, shape, to):
    x = normal(2, *shape)
    height, width, maps = to
    given = torch.from_numpy(x if x.ndim == 2 else nchw(x))
    words = "x".join(map(str, to))
    chw = parse_op(f"reshape to={words} order=chw").evaluate(x)
    np.testing.assert_array_equal(chw, nhwc(given.reshape(2, maps, height, width)))
    hwc = parse_op(f"reshape to={words}").evaluate(x)
    np.testing.assert_array_equal(hwc, torch.from_numpy(x).reshape(2, *to).numpy())


@given(image=pairs(1, 9), size=pairs(1, 9))
def test_nearest_is_torchs(torch, image, size):
    x = normal(1, *image, 2)
    given = torch.from_numpy(nchw(x))
    for mode, options in (
        ("nearest", {"coordinates": "asymmetric", "rounding": "floor"}),
        ("nearest-exact", {"coordinates": "half_pixel", "rounding": "half_up"}),
    ):
        y = torch.nn.functional.interpolate(given, size, mode=mode)
        np.testing.assert_array_equal(Resize("nearest", to=size, **options).evaluate(x), nhwc(y))


@given(image=pairs(1, 9), factor=pairs(1, 4))
def test_cells_repeated_by_a_whole_factor_are_everyones_nearest(torch, onnx_node, image, factor):
    x = normal(1, *image, 2)
    ours = Resize("nearest", factor=factor).evaluate(x)
    given = torch.from_numpy(nchw(x))
    scale = tuple(map(float, factor))
    for mode in ("nearest", "nearest-exact"):
        y = torch.nn.functional.interpolate(given, scale_factor=scale, mode=mode)
        np.testing.assert_array_equal(ours, nhwc(y))
    y = onnx_node("Resize", nchw(x), None, np.float32([1, 1, *factor]))
    np.testing.assert_allclose(ours, nhwc(y), **FLOAT32)


@pytest.mark.parametrize("corners", [False, True])
@given(image=pairs(1, 9), size=pairs(1, 9))
def test_bilinear_is_torchs(torch, corners, image, size):
    x = normal(1, *image, 2)
    y = torch.nn.functional.interpolate(
        torch.from_numpy(nchw(x)), size, mode="bilinear", align_corners=corners
    )
    ours = Resize("bilinear", to=size, coordinates="align_corners" if corners else "half_pixel")
    np.testing.assert_allclose(ours.evaluate(x), nhwc(y), rtol=1e-12, atol=1e-13)


@given(case=CASES["resize"])
def test_resize_is_onnx_runtimes_with_every_convention(onnx_node, case):
    op, (x_type,) = case
    assume(op.coordinates is not None)
    x = normal(1, *x_type.shape)
    sampling, (height, width, maps) = op.sampling(x_type), op.infer(x_type).shape
    options = {"mode": "linear" if op.mode == "bilinear" else "nearest"}
    if sampling.rounding is not None:
        options["nearest_mode"] = ONNX_ROUNDINGS.get(sampling.rounding, sampling.rounding)
    # ONNX Runtime computes places in float32; where one is a hair from a cell's border it may err.
    assume(op.mode == "bilinear" or all_clear(sampling, x_type.height_width, (height, width)))
    y = onnx_node(
        "Resize",
        nchw(x),
        None,
        None,
        np.array([1, maps, height, width]),
        coordinate_transformation_mode=sampling.coordinates,
        **options,
    )
    np.testing.assert_allclose(op.evaluate(x), nhwc(y), **FLOAT32)


def all_clear(sampling, image, size):
    """Whether every place is a binary fraction, which float32 has exactly."""
    plain = type(sampling)(sampling.coordinates)
    places = [plain.place(i, n, m) for n, m in zip(image, size, strict=True) for i in range(m)]
    return all(place.denominator in (1, 2, 4, 8) for place in places)
