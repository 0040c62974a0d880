"""What operators say they have resolved where frameworks differ."""

import pytest

from cnndsl.ops.text import parse_op
from cnndsl.types import f32

IMAGE = f32(7, 6, 4)


@pytest.mark.parametrize(
    ("op", "x", "lines"),
    [
        (
            "convtranspose maps=2 kernel=3 stride=2 padding=same_upper",
            IMAGE,
            ["padding same_upper: cells cut off the output are top 0, bottom 1, left 0, right 1"],
        ),
        ("convtranspose maps=2 kernel=3 stride=2 padding=1", IMAGE, []),
        ("resize mode=nearest factor=2", IMAGE, ["coordinates asymmetric, rounding floor"]),
        (
            "resize mode=bilinear factor=2 coordinates=half_pixel",
            IMAGE,
            ["coordinates half_pixel"],
        ),
        (
            "lppool kernel=2 stride=2 p=3",
            IMAGE,
            ["p 3: powers of absolute values, as in ONNX; PyTorch's keep the sign"],
        ),
        ("lppool kernel=2 stride=2", IMAGE, []),
        (
            "reshape to=6x7x4 order=chw",
            IMAGE,
            ["order chw: the pixels of a map stay together, as in PyTorch and ONNX"],
        ),
        ("reshape to=12", f32(12), []),
    ],
)
def test_an_operator_says_what_it_resolved(op, x, lines):
    assert list(parse_op(op).conventions(x)) == lines


@pytest.mark.parametrize("row_type", ["depthwise", "separable maps=2"])
def test_the_padding_that_a_depthwise_half_resolves_is_a_convolutions(row_type):
    window = "kernel=3 stride=2 padding=same_upper"
    conv = parse_op(f"conv maps=1 {window}").conventions(IMAGE)
    assert parse_op(f"{row_type} {window}").conventions(IMAGE) == conv != ()
