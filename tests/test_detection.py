"""Boxes: decoded as they were planted, suppressed as greed has it, and found in the picture."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnndsl
from cnndsl.detection import Boxes, overlaps, suppress, together, yolo_v1, yolo_v3
from cnndsl.errors import InputError
from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.signature import Signature
from cnndsl.ops.input import Input
from cnndsl.pictures import placement

SURE, UNSURE = 12.0, -12.0  # before the sigmoid


class Reads:
    """What has an input row."""

    def __init__(self, op):
        self.signature = Signature({"In": op}, {})


def inverse_sigmoid(p):
    return np.log(p / (1 - p))


@st.composite
def boxes(draw, most=12):
    count = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Few places and sizes, so that many overlap and many are equal.
    starts, sizes = rng.integers(0, 6, (count, 2)), rng.integers(1, 4, (count, 2))
    corners = np.concatenate([starts, starts + sizes], 1).astype(float)
    scores = rng.choice([0.3, 0.5, 0.9], count)
    return Boxes(corners, scores, rng.integers(0, 3, count))


# ---- decoding


@given(rows=st.integers(1, 5), columns=st.integers(1, 5), classes=st.integers(1, 4), data=st.data())
def test_a_box_planted_in_a_v3_grid_is_found_there(rows, columns, classes, data):
    anchors = [(10, 14), (81, 30)]
    image = (rows * 16, columns * 16)
    draw = data.draw
    i, j = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
    a, c = draw(st.integers(0, 1)), draw(st.integers(0, classes - 1))
    within = draw(st.floats(0.05, 0.95)), draw(st.floats(0.05, 0.95))
    width, height = draw(st.floats(1, 90)), draw(st.floats(1, 90))
    grid = np.full((rows, columns, 2, 5 + classes), UNSURE)
    grid[i, j, a, :2] = inverse_sigmoid(np.array(within))
    grid[i, j, a, 2:4] = np.log([width / anchors[a][0], height / anchors[a][1]])
    grid[i, j, a, [4, 5 + c]] = SURE
    found = yolo_v3(grid.reshape(rows, columns, -1), anchors=anchors, image=image)
    x, y = (j + within[0]) * 16, (i + within[1]) * 16
    wanted = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
    assert found.classes.tolist() == [c]
    assert found.scores[0] == pytest.approx(1.0, abs=1e-4)
    sides = np.array([image[1], image[0]] * 2)
    np.testing.assert_allclose(found.corners[0] * sides, wanted, atol=1e-9)


@given(i=st.integers(0, 6), j=st.integers(0, 6), b=st.integers(0, 1), c=st.integers(0, 19))
def test_a_box_planted_in_a_v1_output_is_found_there(i, j, b, c):
    chances, sure = np.zeros((7, 7, 20)), np.zeros((7, 7, 2))
    places = np.full((7, 7, 2, 4), 0.5)
    chances[i, j, c], sure[i, j, b] = 0.9, 0.8
    places[i, j, b] = 0.25, 0.75, np.sqrt(0.2), np.sqrt(0.4)
    output = np.concatenate([chances.ravel(), sure.ravel(), places.ravel()])
    found = yolo_v1(output)
    assert found.classes.tolist() == [c]
    assert found.scores[0] == pytest.approx(0.72)
    x, y = (j + 0.25) / 7, (i + 0.75) / 7
    np.testing.assert_allclose(found.corners[0], [x - 0.1, y - 0.2, x + 0.1, y + 0.2])


def test_the_shipped_network_has_an_output_that_decodes():
    network = cnndsl.parse("yolo_v1_tiny")
    found = yolo_v1(np.random.default_rng(0).uniform(size=network.output_type.shape))
    assert len(found)
    assert (np.diff(found.scores) <= 0).all()


@pytest.mark.parametrize(
    "decode",
    [
        lambda: yolo_v3(np.zeros((2, 2, 7)), anchors=[(1, 1), (2, 2)], image=(4, 4)),
        lambda: yolo_v3(np.zeros((1, 2, 2, 12)), anchors=[(1, 1), (2, 2)], image=(4, 4)),
        lambda: yolo_v3(np.zeros((2, 2, 7)), anchors=[], image=(4, 4)),
        lambda: yolo_v1(np.zeros((1, 1470))),
        lambda: yolo_v1(np.zeros(1471)),
    ],
)
def test_numbers_of_another_shape_are_refused(decode):
    with pytest.raises(InputError, match="image"):
        decode()


# ---- suppression


@given(found=boxes(), overlap=st.sampled_from([0.1, 0.45, 0.9]))
def test_what_stays_does_not_overlap_and_what_goes_overlaps_something_surer(found, overlap):
    kept = suppress(found, overlap)
    over = overlaps(kept.corners, kept.corners) > overlap
    same = kept.classes[:, None] == kept.classes[None]
    assert not (over & same & ~np.eye(len(kept), dtype=bool)).any()
    for corners, score, kind in zip(found.corners, found.scores, found.classes, strict=True):
        near = overlaps([corners], kept.corners)[0]
        reasons = (kept.classes == kind) & (kept.scores >= score) & (near > overlap)
        itself = (kept.corners == corners).all(1) & (kept.classes == kind)
        assert (reasons | itself).any()


@pytest.mark.peers
@given(found=boxes())
def test_suppression_is_torchvisions(found):
    torch, vision = pytest.importorskip("torch"), pytest.importorskip("torchvision")
    scores = found.scores + np.linspace(0.05, 0, len(found))  # ties are free to be broken
    found = Boxes(found.corners, scores, found.classes)
    which = vision.ops.batched_nms(
        torch.from_numpy(found.corners),
        torch.from_numpy(found.scores),
        torch.from_numpy(found.classes),
        0.45,
    )
    wanted, kept = found.take(which.numpy()), suppress(found)
    np.testing.assert_array_equal(kept.corners, wanted.corners)
    np.testing.assert_array_equal(kept.classes, wanted.classes)


@given(first=boxes(4), second=boxes(4))
def test_overlap_is_the_share_of_common_cells(first, second):
    """Corners are whole numbers, so areas can be counted."""

    def cells(box):
        left, top, right, bottom = box.astype(int)
        return {(x, y) for x in range(left, right) for y in range(top, bottom)}

    shares = overlaps(first.corners, second.corners)
    for i, a in enumerate(map(cells, first.corners)):
        for j, b in enumerate(map(cells, second.corners)):
            assert shares[i, j] == pytest.approx(len(a & b) / len(a | b))


def test_several_grids_make_one_list():
    one = Boxes(np.zeros((1, 4)), np.array([0.5]), np.array([0]))
    two = Boxes(np.ones((2, 4)), np.array([0.9, 0.1]), np.array([1, 2]))
    assert together(one, two).classes.tolist() == [1, 0, 2]


# ---- back to the picture


@given(
    size=st.tuples(st.integers(20, 60), st.integers(20, 60)),
    wanted=st.tuples(st.integers(20, 60), st.integers(20, 60)),
    fit=st.sampled_from(["stretch", "crop", "pad"]),
    data=st.data(),
)
def test_a_bright_patch_is_found_where_it_was_in_the_picture(size, wanted, fit, data):
    op = Input(1, wanted, range=(0.0, 1.0), fit=fit)
    top, left = (data.draw(st.integers(side // 3, side // 2)) for side in size)
    picture = np.zeros(size, np.uint8)
    picture[top : top + 4, left : left + 4] = 255
    x = cnndsl.preprocess(picture, Reads(op))[0, :, :, 0]
    # The middle of what is bright, as a fraction of the network's input.
    rows, columns = (np.arange(side) + 0.5 for side in wanted)
    middle = np.array([x.sum(0) @ columns / wanted[1], x.sum(1) @ rows / wanted[0]]) / x.sum()
    found = Boxes(np.tile(middle, (1, 2)), np.ones(1), np.zeros(1, np.intp))
    there = found.in_picture(size, Reads(op)).corners[0, :2]
    np.testing.assert_allclose(there, [left + 2, top + 2], atol=1.0)


def test_what_lies_in_the_margin_is_cut_off():
    op = Input(3, (50, 50), fit="pad")
    whole = Boxes(np.array([[0.0, 0.0, 1.0, 1.0]]), np.ones(1), np.zeros(1, np.intp))
    assert whole.in_picture((200, 100), Reads(op)).corners.tolist() == [[0, 0, 100, 200]]
    assert placement((200, 100), op).scale == (4.0, 4.0)


@pytest.mark.slow
def test_the_page_shows_a_program_that_runs(capsys):
    page = (Path(__file__).parent.parent / "docs" / "detection.md").read_text("utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    picture = np.random.default_rng(0).integers(0, 256, (300, 500, 3), np.uint8)
    network = cnndsl.parse("yolo_v3_tiny")
    # Biases that make a few boxes sure enough, so that there is something to print.
    weights = seeded_weights(network.param_table, 0)
    weights["box1.bias"] = np.full_like(weights["box1.bias"], 1.0)
    exec(program, {"weights": weights, "picture": picture})
    lines = capsys.readouterr().out.splitlines()
    assert lines
    for line in lines:
        places = re.fullmatch(r"class \d+ \(\d+%\): (\d+),(\d+) to (\d+),(\d+)", line)
        left, top, right, bottom = map(int, places.groups())
        assert 0 <= left <= right <= 500
        assert 0 <= top <= bottom <= 300
