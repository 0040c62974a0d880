"""A network's summary says what it costs, and its drawing shows every row and edge once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.frontend.load import load_network
from cnndsl.ir.draw import draw_svg, row_parents
from cnndsl.ir.layout import Sizes, lay_out
from cnndsl.ir.network import Network
from cnndsl.source import Source

SVG = "{http://www.w3.org/2000/svg}"
SIZES = Sizes(100.0, 40.0)
TABLE = """\
cnn 1
network "a <b> & 'c'"
layer  type     maps  size  kernel  stride  padding  activation
In     input    3     9x9
C1     conv     8     9x9   3x3     1       same     relu
N1     lrn      8     9x9   -       -       -        -
    size=4 align=torch alpha=1 beta=1 k=1
S2     avgpool  8     5x5   3x3     2       same     -           divisor=inside
합성곱  conv     4     5x5   1x1     1       valid    -           from=S2
Out    dense    10    -     -       -       -        softmax     dropout=0.5
"""


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network(Source("t.cnn", TABLE))


def test_the_drawing_has_a_box_a_row_and_an_edge_a_reading(network):
    picture = ElementTree.fromstring(draw_svg(network))
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert len(list(picture.iter(f"{SVG}rect"))) == len(network)
    edges = [path for path in picture.iter(f"{SVG}path") if path.get("class") == "edge"]
    assert len(edges) == sum(map(len, row_parents(network).values())) == 5
    assert "conv 3×3 + relu" in texts
    assert "avgpool 3×3/2" in texts
    assert "dense + softmax + dropout 0.5" in texts
    assert "224 params" in texts
    assert "합성곱" in texts


def test_names_cannot_break_out_of_the_drawing(network):
    picture = draw_svg(network)
    assert "<b>" not in picture
    title = ElementTree.fromstring(picture).find(f"{SVG}title")
    assert title is not None
    assert title.text is not None
    assert title.text.startswith("a <b> & 'c': ")


def test_styles_apply_to_the_drawing_alone(network):
    style = ElementTree.fromstring(draw_svg(network)).find(f"{SVG}style")
    assert style is not None
    assert style.text is not None
    assert all(line.startswith(".cnndsl ") for line in style.text.strip().splitlines())


@dataclass(frozen=True)
class Rectangle:
    left: float
    top: float
    right: float
    bottom: float


def rectangles(boxes) -> list[Rectangle]:
    return [
        Rectangle(
            x - SIZES.width / 2, y - SIZES.height / 2, x + SIZES.width / 2, y + SIZES.height / 2
        )
        for x, y in boxes.values()
    ]


@st.composite
def parent_lists(draw):
    """Each box's parents, all of them earlier."""
    count = draw(st.integers(1, 12))
    return {
        str(i): [str(j) for j in draw(st.lists(st.integers(0, i - 1), unique=True, max_size=3))]
        if i
        else []
        for i in range(count)
    }


@given(parent_lists())
def test_boxes_lie_inside_the_drawing_apart_from_each_other_and_below_their_parents(parents):
    layout = lay_out(parents, SIZES)
    boxes = rectangles(layout.boxes)
    for box in boxes:
        assert box.left >= -1e-6
        assert box.right <= layout.width + 1e-6
        assert box.bottom <= layout.height + 1e-6
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = a.left >= b.right or b.left >= a.right or a.top >= b.bottom or b.top >= a.bottom
            assert apart
    for name, above in parents.items():
        assert all(layout.boxes[parent][1] < layout.boxes[name][1] for parent in above)


@given(parent_lists())
def test_edges_that_pass_a_layer_pass_no_box_of_it(parents):
    layout = lay_out(parents, SIZES)
    boxes = rectangles(layout.boxes)
    for bends in layout.bends.values():
        for x, y in bends:
            assert not any(b.left <= x <= b.right and b.top <= y <= b.bottom for b in boxes)


def test_a_chain_is_straight_and_a_residual_edge_passes_beside_it():
    layout = lay_out({"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]}, SIZES)
    assert len({x for x, _ in layout.boxes.values()}) == 1
    assert len(layout.bends["a", "d"]) == 2


def test_many_long_edges_are_drawn_without_bends():
    parents = {str(i): [str(j) for j in {0, i - 1}] if i else [] for i in range(1000)}
    layout = lay_out(parents, SIZES)
    assert not any(layout.bends.values())
    assert len(layout.bends) == 1997


def test_the_summary_adds_up(network):
    summary = network.summary()
    assert [row.name for row in summary.rows] == ["In", "C1", "N1", "S2", "합성곱", "Out"]
    assert sum(row.params for row in summary.rows) == summary.params == network.params
    assert sum(row.macs for row in summary.rows) == summary.macs == network.macs
    assert summary.weight_bytes == 4 * network.params
    assert summary.rows[0].activation_bytes == 4 * 9 * 9 * 3


def test_the_peak_is_what_lives_at_once_with_functions_in_place(network):
    # N1 reads C1's map and writes as large a one; relu needs no room of its own.
    assert network.summary().peak_bytes == 4 * 2 * (9 * 9 * 8)


def test_the_summary_says_what_conventions_come_to(network):
    assert network.summary().conventions == [
        "C1, S2: padding same: 1 row above, 1 below, 1 column left, 1 right",
        "N1: size=4: 4 maps are summed, c-2 to c+1, and alpha counts as 0.25",
        "S2: divisor inside: a window's sum is divided by the number of its cells inside the image",
        "Out: order hwc: the maps of a pixel stay together, as in TensorFlow and Keras",
    ]


def test_the_printed_summary_is_a_table_with_totals(network):
    lines = str(network.summary()).splitlines()
    assert re.split(r"\s+", lines[2]) == [
        *("row", "type", "output", "params", "MACs", "memory", "values"),
    ]
    # An East Asian character takes two cells of a terminal.
    assert lines[7].startswith("합성곱  conv     5x5x4")
    assert lines[8].startswith("Out     dense    10   ")
    assert lines[-1].startswith("1,270 parameters")


def test_jupyter_shows_the_table_and_the_drawing_with_names_escaped(network):
    page = network._repr_html_()
    assert "<table>" in page
    assert "<svg " in page
    assert "<b>a &lt;b&gt;" in page
