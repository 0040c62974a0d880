"""Sliding windows: how many there are, where they lie, what is added around an image."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from op_strategies import paddings, pairs
from plain_definitions import cells_of_axis, inside, same_sides

from cnndsl.errors import ConventionError, ShapeError, ValueRefused
from cnndsl.ops.conv import Conv
from cnndsl.ops.padding import Padding
from cnndsl.ops.text import parse_op
from cnndsl.ops.window import Window
from cnndsl.types import f32

SIZES = st.integers(1, 9)
IMAGES = pairs(1, 9)
WINDOWS = st.builds(
    Window,
    pairs(1, 4),
    pairs(1, 4),
    paddings(),
    pairs(1, 3),
    st.sampled_from(["floor", "ceil", "ceil_caffe"]),
)


def explicit(begin, end=None):
    side = (begin, begin if end is None else end)
    return Padding("explicit", (side, side))


def accepted(window, image):
    try:
        window.output(image)
    except (ConventionError, ShapeError):
        assume(False)


@given(window=WINDOWS, image=IMAGES)
def test_windows_lie_where_their_definition_says(window, image):
    accepted(window, image)
    cells = [cells_of_axis(window, image, axis) for axis in (0, 1)]
    assert window.output(image) == (len(cells[0]), len(cells[1]))
    x = np.arange(1.0, 1 + image[0] * image[1]).reshape(1, *image, 1)
    windows = window.windows(x, -1.0)
    assert windows.shape == (1, *window.output(image), 1, *window.kernel)
    for r, s, u, v in np.ndindex(*window.output(image), *window.kernel):
        i, j = cells[0][r][u], cells[1][s][v]
        expected = x[0, i, j, 0] if inside(image, i, j) else -1.0
        assert windows[0, r, s, 0, u, v] == expected


@given(window=WINDOWS, image=IMAGES)
def test_the_cells_around_an_image_are_those_that_windows_touch(window, image):
    accepted(window, image)
    for axis in (0, 1):
        cells = [c for cells in cells_of_axis(window, image, axis) for c in cells]
        begin, end = window.grown_sides(image)[axis]
        assert begin == max(0, -min(cells))
        assert end == max(0, max(cells) - image[axis] + 1)
    assert window.overhangs(image) == any(map(any, window.grown_sides(image)))


@given(window=WINDOWS, image=IMAGES)
def test_a_window_misses_where_none_of_its_cells_is_inside(window, image):
    accepted(window, image)
    misses = any(
        not any(0 <= cell < image[axis] for cell in cells)
        for axis in (0, 1)
        for cells in cells_of_axis(window, image, axis)
    )
    assert window.misses(image) == misses


@given(size=SIZES, kernel=st.integers(1, 5), stride=st.integers(1, 4), dilation=st.integers(1, 3))
def test_same_adds_what_the_last_step_lacks(size, kernel, stride, dilation):
    for mode, odd_first in (("same_upper", False), ("same_lower", True)):
        window = Window((kernel, 1), (stride, 1), Padding(mode), (dilation, 1))
        expected = same_sides(size, kernel, stride, dilation, odd_first)
        assert window.sides((size, 1)) == (expected, (0, 0))
        assert window.output((size, 1)) == (-(-size // stride), 1)


@pytest.mark.parametrize("rounding", ["floor", "ceil", "ceil_caffe"])
@pytest.mark.parametrize("mode", ["same", "same_upper", "same_lower"])
def test_same_keeps_the_size_that_it_promises_whatever_the_rounding(mode, rounding):
    # No cell is added here, and rounding up would make one window more, outside the image.
    window = Window((1, 1), (4, 4), Padding(mode), rounding=rounding)
    assert window.output((6, 6)) == (2, 2)


@given(size=SIZES, kernel=st.integers(1, 5), stride=st.integers(1, 4))
def test_same_is_said_plainly_only_where_both_conventions_agree(size, kernel, stride):
    upper, lower, plain = (
        Window((kernel, 1), (stride, 1), Padding(mode))
        for mode in ("same_upper", "same_lower", "same")
    )
    if upper.sides((size, 1)) == lower.sides((size, 1)):
        assert plain.sides((size, 1)) == upper.sides((size, 1))
    else:
        with pytest.raises(ConventionError) as caught:
            plain.sides((size, 1))
        assert [fix.message.split(",")[0] for fix in caught.value.diagnostics[0].fixes] == [
            "same_upper",
            "same_lower",
        ]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "rounding", "count"),
    [
        (5, 2, 2, 0, "floor", 2),
        (5, 2, 2, 0, "ceil", 3),
        (5, 2, 2, 0, "ceil_caffe", 3),
        # The third window would start beyond the image: ONNX and PyTorch drop it.
        (5, 1, 3, 0, "ceil", 2),
        (6, 1, 4, 0, "ceil", 2),
        (6, 1, 4, 0, "ceil_caffe", 3),
        # With padding, Caffe drops it too.
        (4, 2, 3, 1, "ceil", 2),
        (4, 2, 3, 1, "ceil_caffe", 2),
        # GoogLeNet's pools: 112 to 56 rounded up, 55 rounded down.
        (112, 3, 2, 0, "ceil", 56),
        (112, 3, 2, 0, "floor", 55),
        # A kernel that is larger than the image makes one window where that rounds up.
        (2, 3, 2, 0, "ceil", 1),
        (2, 3, 2, 0, "ceil_caffe", 1),
    ],
)
def test_rounding_counts_windows_as_its_framework_does(
    size, kernel, stride, padding, rounding, count
):
    square = Window((kernel,) * 2, (stride,) * 2, explicit(padding), rounding=rounding)
    assert square.output((size, size)) == (count, count)


def test_caffe_drops_a_last_window_on_both_axes_where_one_is_padded():
    window = Window((1, 3), (4, 1), Padding("explicit", ((0, 0), (1, 1))), rounding="ceil_caffe")
    assert window.output((6, 6)) == (2, 6)


@pytest.mark.parametrize(
    ("op", "image"),
    [
        ("maxpool kernel=2 stride=1 padding=2", (4, 4)),
        ("avgpool kernel=1 stride=1 padding=1 divisor=padded", (4, 4)),
        ("avgpool kernel=1 stride=1 padding=0+1x0 divisor=inside", (4, 4)),
        ("maxpool kernel=2 stride=1 dilation=4 padding=2", (3, 3)),
        ("maxpool kernel=1 stride=4 rounding=ceil_caffe", (6, 6)),
    ],
)
def test_a_pool_with_a_window_outside_the_image_is_refused(op, image):
    with pytest.raises(ShapeError, match="wholly outside the image"):
        parse_op(op).infer(f32(*image, 1))


def test_a_convolution_may_have_windows_outside_the_image():
    conv = parse_op("conv maps=1 kernel=1 padding=1")
    y = conv.evaluate(np.ones((1, 1, 1, 1)), weight=np.ones((1, 1, 1, 1)), bias=np.array([5.0]))
    assert y[0, :, :, 0].tolist() == [[5, 5, 5], [5, 6, 5], [5, 5, 5]]


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("conv maps=1 kernel=5", "a 5x5 window does not fit into 3x3"),
        ("conv maps=1 kernel=9 padding=1", "a 9x9 window does not fit into 3x3, padded to 5x5"),
        (
            "conv maps=1 kernel=3 dilation=2",
            "a 5x5 window (dilated from 3x3) does not fit into 3x3",
        ),
        ("maxpool kernel=1x9 stride=2 rounding=ceil", "a 1x9 window does not fit into 3x3"),
    ],
)
def test_a_window_that_does_not_fit_is_named(op, message):
    with pytest.raises(ShapeError) as caught:
        parse_op(op).infer(f32(3, 3, 1))
    assert caught.value.diagnostics[0].message == message


def test_the_average_divides_by_what_its_divisor_counts():
    x = np.ones((1, 3, 3, 1))
    pool = "avgpool kernel=2 stride=2 padding=1 divisor="
    inside_mean, padded_mean = (
        parse_op(pool + divisor).evaluate(x)[0, :, :, 0] for divisor in ("inside", "padded")
    )
    assert inside_mean.tolist() == [[1, 1], [1, 1]]
    assert padded_mean.tolist() == [[0.25, 0.5], [0.5, 1]]


def test_neither_divisor_counts_what_lies_beyond_the_padding():
    x = np.ones((1, 3, 3, 1))
    pool = "avgpool kernel=3 stride=3 padding=1 rounding=ceil divisor="
    inside_mean, padded_mean = (
        parse_op(pool + divisor).evaluate(x)[0, :, :, 0] for divisor in ("inside", "padded")
    )
    assert inside_mean.tolist() == [[1, 1], [1, 1]]
    # The second window of a side holds cell 2, a cell of the padding and one beyond it.
    assert padded_mean.tolist() == [[4 / 9, 2 / 6], [2 / 6, 1 / 4]]


def test_an_average_whose_windows_overhang_must_name_its_divisor():
    with pytest.raises(ConventionError) as caught:
        parse_op("avgpool kernel=2 stride=2 padding=1").infer(f32(4, 4, 1))
    assert caught.value.code == "E205"
    # Padding that no window touches makes no difference.
    assert parse_op("avgpool kernel=2 stride=2 padding=0+1").infer(f32(4, 4, 1)) == f32(2, 2, 1)


def test_padding_has_a_largest_amount():
    assert parse_op("conv maps=1 kernel=1 padding=1000000").padding.sides[0] == (10**6, 10**6)
    with pytest.raises(ValueRefused):
        parse_op("conv maps=1 kernel=1 padding=1000001")


def test_a_giant_window_is_answered_in_integers():
    conv = Conv(1, (10**9, 10**9), padding=Padding("same_upper"), dilation=(10**9, 10**9))
    assert conv.infer(f32(5, 5, 1)) == f32(5, 5, 1)
    assert conv.window.padded_cells((5, 5)) == (5 + (10**9 - 1) * 10**9) ** 2


@given(window=WINDOWS, image=IMAGES)
def test_the_arithmetic_comes_to_the_output(window, image):
    accepted(window, image)
    text = window.arithmetic(image)
    output = window.output(image)
    assert f" is {output[0]}x{output[1]}: " in text
    sums = text.split(": ")[1].replace(" (a last window that starts outside is dropped)", "")
    results = []
    for line in sums.split("; "):
        left, _, right = line.partition(" = ")
        assert eval(left, {"ceil": lambda v: -int(-v // 1)}) == int(right)
        results.append(int(right))
    assert results[0] == output[0]
    assert results[-1] == output[1]
