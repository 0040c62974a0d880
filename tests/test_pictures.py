"""Pictures become arrays exactly as the input row says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from cnndsl.errors import InputError
from cnndsl.ir.signature import Signature
from cnndsl.ops.input import Input
from cnndsl.pictures import preprocess, resized

pillow = pytest.importorskip("PIL.Image")


@dataclass(frozen=True)
class Reader:
    """The least that reads pictures."""

    input: Input

    @property
    def signature(self) -> Signature:
        return Signature({"In": self.input}, {})


GREY = Input(maps=1, size=(4, 4), range=(0.0, 255.0))
COLOUR = Input(maps=3, size=(4, 4), range=(0.0, 1.0))


def random_picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


def refusal(picture: np.ndarray, op: Input) -> str:
    with pytest.raises(InputError) as caught:
        preprocess(picture, Reader(op))
    return str(caught.value)


def test_pixels_are_mapped_to_the_range_then_normalised_map_by_map():
    op = replace(COLOUR, mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
    picture = np.full((4, 4, 3), (255, 51, 102), np.uint8)
    y = preprocess(picture, Reader(op))
    assert (y.shape, y.dtype) == ((1, 4, 4, 3), np.float32)
    np.testing.assert_allclose(y[0, 0, 0], [1.0, 0.2 - 0.25, 0.2], rtol=1e-6)


def test_the_layout_and_the_order_of_channels_are_the_input_rows():
    picture = random_picture(4, 4, 3)
    straight = preprocess(picture, Reader(COLOUR))
    swapped = preprocess(picture, Reader(replace(COLOUR, channels="bgr", layout="nchw")))
    assert swapped.shape == (1, 3, 4, 4)
    np.testing.assert_array_equal(swapped, straight.transpose(0, 3, 1, 2)[:, ::-1])


def test_colours_turn_grey_as_pillow_turns_them():
    picture = random_picture(4, 4, 3)
    expected = np.asarray(pillow.fromarray(picture).convert("L"), np.float32)
    np.testing.assert_allclose(preprocess(picture, Reader(GREY))[0, :, :, 0], expected, atol=1)


def test_grey_pictures_fill_all_maps_of_a_colour_network():
    y = preprocess(random_picture(4, 4), Reader(COLOUR))
    np.testing.assert_array_equal(y[..., 0], y[..., 2])


@pytest.mark.parametrize("size", [(20, 11), (60, 80), (50, 13), (1, 1)])
def test_resizing_is_pillows_bilinear_filter(size):
    picture = random_picture(50, 37, 3)
    bilinear = pillow.Resampling.BILINEAR
    expected = pillow.fromarray(picture).resize(size[::-1], bilinear)
    # Pillow rounds to whole numbers twice, after the columns and after the rows.
    np.testing.assert_allclose(
        resized(picture.astype(np.float32), size), np.asarray(expected, np.float32), atol=1.01
    )


def test_crop_takes_the_middle_and_pad_adds_black():
    picture = np.zeros((4, 8), np.uint8)
    picture[:, 2:6] = 200
    crop = preprocess(picture, Reader(replace(GREY, fit="crop")))
    np.testing.assert_array_equal(crop, np.full((1, 4, 4, 1), 200, np.float32))
    for shape in [(2, 4), (4, 8)]:  # the larger one is shrunk first
        pad = preprocess(np.full(shape, 255, np.uint8), Reader(replace(GREY, fit="pad")))
        np.testing.assert_allclose(pad[0, :, 0, 0], [0, 255, 255, 0], rtol=1e-6)


def test_pad_never_enlarges():
    y = preprocess(np.full((2, 2), 255, np.uint8), Reader(replace(GREY, fit="pad")))
    assert np.count_nonzero(y) == 4


def test_stretch_fills_the_whole_size():
    y = preprocess(np.full((3, 9), 7, np.uint8), Reader(replace(GREY, fit="stretch")))
    np.testing.assert_allclose(y, np.full((1, 4, 4, 1), 7, np.float32), rtol=1e-6)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(1, 100_000), (100_000, 1)])
def test_extreme_proportions_cost_no_memory(fit, shape):
    y = preprocess(np.full(shape, 9, np.uint8), Reader(replace(GREY, fit=fit)))
    assert y.shape == (1, 4, 4, 1)


def test_pictures_of_several_sizes_make_one_batch():
    pictures = [random_picture(4, 4), random_picture(9, 5, 3), random_picture(2, 2, 1)]
    y = preprocess(pictures, Reader(replace(GREY, fit="pad")))
    assert y.shape == (3, 4, 4, 1)
    np.testing.assert_array_equal(y[0, :, :, 0], pictures[0])


def test_what_the_input_row_does_not_say_is_asked_for():
    picture = random_picture(4, 4)
    assert "range=0..1" in refusal(picture, replace(GREY, range=None))
    assert "fit=crop" in refusal(random_picture(5, 4), GREY)
    assert "4 maps" in refusal(picture, replace(GREY, maps=4))


def test_arrays_that_are_no_pictures_are_refused():
    assert "float64" in refusal(np.zeros((4, 4)), GREY)
    assert "is no picture" in refusal(np.zeros((2, 4, 4, 4), np.uint8), GREY)
    assert "is no picture" in refusal(np.zeros((0, 4), np.uint8), GREY)
    assert "there are no pictures" in refusal(np.zeros((0, 4, 4, 1), np.uint8), GREY)
