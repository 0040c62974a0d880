"""Resize in ONNX's conventions: as ONNX Runtime computes it, in rows and out again."""

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx_calls import relative_error, run_onnx
from onnx_models import imported, model_of, node, normal, types_of

import cnndsl
from cnndsl.errors import CnnError
from cnndsl.exchange import network_of
from cnndsl.interop.onnx.exporting import export_onnx

pytestmark = pytest.mark.peers

FILTERS = ["conv", "conv"]


def resized(shape, opset=19, *, scales=None, sizes=None, roi=None, **options):
    constants = {"scales": scales, "sizes": sizes, "roi": roi}
    kinds = {"scales": np.float32, "sizes": np.int64, "roi": np.float32}
    given = {k: np.array(v, kinds[k]) for k, v in constants.items() if v is not None}
    inputs = ["x", *(name if name in given else "" for name in ("roi", "scales", "sizes"))]
    made = node("Resize", "x", **options)
    del made.input[:]
    made.input.extend(inputs if sizes is not None else inputs[:3])
    return model_of([made], list(shape), given, opset=opset)


def rows_of(found):
    moves = ("flatten", "reshape")
    return [kind for kind in types_of(found) if kind not in moves]


CASES = {
    "cubic": ({"mode": "cubic", "scales": [1, 1, 2, 1.5]}, FILTERS),
    "cubic with another coefficient": (
        {"mode": "cubic", "cubic_coeff_a": -0.5, "sizes": [2, 3, 9, 11]},
        FILTERS,
    ),
    "cubic without what lies outside": (
        {"mode": "cubic", "exclude_outside": 1, "sizes": [2, 3, 13, 4]},
        FILTERS,
    ),
    "cubic by its corners": (
        {
            "mode": "cubic",
            "coordinate_transformation_mode": "align_corners",
            "sizes": [2, 3, 9, 5],
        },
        FILTERS,
    ),
    "cropped": (
        {
            "mode": "linear",
            "coordinate_transformation_mode": "tf_crop_and_resize",
            "sizes": [2, 3, 5, 5],
            "roi": [0, 0, 0.1, 0.2, 1, 1, 0.8, 0.9],
        },
        FILTERS,
    ),
    "cropped beyond the image": (
        {
            "mode": "linear",
            "coordinate_transformation_mode": "tf_crop_and_resize",
            "extrapolation_value": 7.0,
            "sizes": [2, 3, 5, 5],
            "roi": [0, 0, 0.4, 0.6, 1, 1, 1.3, 1.7],
        },
        ["batchnorm", *FILTERS, "batchnorm"],
    ),
    "one column of PyTorch's": (
        {
            "mode": "linear",
            "coordinate_transformation_mode": "pytorch_half_pixel",
            "sizes": [2, 3, 4, 1],
        },
        FILTERS,
    ),
    "linear by a scale of 0.6": ({"mode": "linear", "scales": [1, 1, 0.6, 0.6]}, FILTERS),
    "in proportion, rounded": (
        {
            "mode": "linear",
            "keep_aspect_ratio_policy": "not_larger",
            "axes": [2, 3],
            "sizes": [9, 9],
        },
        FILTERS,
    ),
    "bilinear": ({"mode": "linear", "sizes": [2, 3, 9, 11]}, ["resize"]),
}


@pytest.mark.parametrize(("options", "rows"), CASES.values(), ids=CASES)
def test_a_resize_is_onnx_runtimes_and_comes_back_from_an_export(options, rows):
    model = resized((2, 3, 6, 7), **options)
    x = normal(2, 3, 6, 7, seed=2)
    (expected,) = run_onnx(model, x)
    found = imported(model)
    assert rows_of(found) == rows
    network = network_of(found, "model")
    y = cnndsl.compile(network.network, network.weights)(x)
    assert relative_error(y, expected) < 1e-5
    (again,) = run_onnx(export_onnx(network.network, network.weights), x)
    assert relative_error(again, expected) < 1e-5


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"scales": [2, 1, 1, 1]}, "it resizes the batch"),
        ({"scales": [1, 1, -1, 1]}, "no positive numbers"),
        ({"scales": [1, 1, 0.01, 1]}, "it leaves no cells"),
        ({"scales": [1, 1, 2, 1], "mode": "lanczos"}, "mode=lanczos has no row"),
    ],
)
def test_what_no_rows_resize_is_refused_with_its_reason(options, reason):
    with pytest.raises(CnnError, match=reason):
        imported(resized((2, 3, 6, 7), **options))
