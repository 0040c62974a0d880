"""A false claim shows its arithmetic and the smallest single edits that make it true."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import networks

from cnndsl.errors import CnnError, Diagnostic
from cnndsl.frontend import checking
from cnndsl.frontend.edits import apply_edits
from cnndsl.frontend.load import load_network
from cnndsl.frontend.nearby import nearby
from cnndsl.frontend.nodes import make_outcome
from cnndsl.ir.network import Network
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.conv import Conv
from cnndsl.source import Source
from cnndsl.types import f32

HEADER = "layer  type  maps  size  kernel  stride  padding  params  macs"


def source(*rows: str) -> Source:
    return Source("t.cnn", "\n".join(["cnn 1", "network T", HEADER, *rows]))


def findings(text: Source) -> tuple[Diagnostic, ...]:
    try:
        return load_network(text).warnings
    except CnnError as error:
        return error.diagnostics


def only(*rows: str) -> Diagnostic:
    (found,) = findings(source(*rows))
    return found


def fixes(*rows: str) -> list[str]:
    return [fix.message for fix in only(*rows).fixes]


def test_a_false_size_shows_its_arithmetic_and_what_fits():
    found = only("In input 3 224x224", "C1 conv 96 55x55 11x11 4 valid")
    assert found.message == "224x224 through 11x11 stride 4 valid is 54x54, not 55x55"
    assert found.notes == ("(224 - 11) // 4 + 1 = 54",)
    assert [fix.message for fix in found.fixes] == [
        *("In 227x227", "padding 2", "size 54x54", "kernel 8x8")
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["In input 1 28x28", "C1 conv 6 28x28 5x5"], ["padding same", "kernel 1x1"]),
        (["In input 1 29x29", "C1 conv 6 14x14 3x3"], ["stride 2"]),
        (["In input 1 28x30", "C1 conv 6 24x28 5x3 1 same"], ["padding valid"]),
        (["In input 1 28x28", "C1 conv 6 24x24 3x3 dilation=1"], ["kernel 5x5", "dilation 2"]),
        (["In input 1 28x28", "P maxpool 1 13x13 3x3 2 valid rounding=ceil"], ["rounding floor"]),
        (["In input 1 27x27", "P maxpool 1 14x14 2x2 2"], ["rounding ceil", "In 28x28"]),
    ],
)
def test_the_attribute_that_fits_is_offered(rows, expected):
    offered = fixes(*rows)
    assert set(expected) <= set(offered), offered


def test_a_row_that_keeps_its_image_names_the_row_whose_it_is():
    found = only("In input 4 8x8", "N1 lrn 4 9x9 n=3 alpha=1 beta=1 k=1")
    assert found.message == "lrn keeps the size 8x8 of In, not 9x9"


def test_a_false_number_of_maps_offers_the_row_that_makes_them():
    rows = ["In input 1 8x8", "C1 conv 6 6x6 3x3", "S2 maxpool 5 3x3 2x2 2"]
    found = only(*rows)
    assert found.message == "maxpool keeps the 6 maps of C1, not 5"
    assert [fix.message for fix in found.fixes] == ["maps 6", "C1 maps 5"]


def test_a_false_number_of_parameters_shows_where_they_are():
    found = only("In input 1 8x8", "C1 conv 6 6x6 3x3 1 valid 54")
    assert found.message == "the row has 60 parameters, not 54"
    assert found.notes == ("C1.weight is 6x1x3x3 = 54", "C1.bias is 6 = 6")
    assert "bias no" in [fix.message for fix in found.fixes]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["In input 4 8x8", "C1 conv 8 6x6 3x3 1 valid 152"], "groups 2"),
        (["In input 4 8x8", "C1 conv 8 6x6 3x3 1 valid 592"], "maps 16"),
        (["In input 3 8x8", "C1 conv 8 6x6 3x3 1 valid 584 groups=1"], "In maps 8"),
        (["In input 1 8x8", "F1 dense 10 - - - - 820"], "In 9x9"),
        (["In input 1 8x8", "A conv 2 6x6 3x3", "F1 dense 10 - - - - 650"], "from In"),
    ],
)
def test_parameters_that_fit_are_offered(rows, expected):
    assert expected in fixes(*rows)


def test_a_false_number_of_products_shows_them_pixel_by_pixel():
    found = only("In input 1 8x8", "C1 conv 6 6x6 3x3 1 valid ? 1,945")
    assert found.message == "the row takes 1,944 multiply-accumulates, not 1,945"
    assert found.notes == ("6x6 pixels of 54 products each",)
    assert found.fixes[0].message == "macs 1,944"


def test_a_connection_table_counts_what_it_uses():
    rows = ["In input 3 8x8", "C1 conv 2 6x6 3x3 1 valid 57 connect=0-1,2"]
    assert only(*rows).notes[0] == "C1.weight is 2x3x3x3, and the connections use 27 of it"


def test_the_edit_of_a_claim_says_which_rows_would_want_another():
    rows = ["In input 1 9x9", "A conv 1 6x6 3x3", "B conv 1 4x4 3x3"]
    claim = next(fix for fix in only(*rows).fixes if fix.message.startswith("size"))
    assert claim.message == "size 7x7, which asks for a change in B too"


def test_a_window_that_does_not_fit_offers_one_that_does():
    found = only("In input 1 5x5", "C1 conv 1 ? 7x7")
    assert found.column == "kernel"
    assert [fix.message for fix in found.fixes] == ["kernel 5x5", "In 7x7", "padding 1"]


def test_an_option_is_inserted_before_a_comment():
    text = source("In input 1 27x27", "P maxpool 1 14x14 2x2 2  # as printed")
    (found,) = findings(text)
    fix = next(fix for fix in found.fixes if fix.message == "rounding ceil")
    mended = apply_edits(text, fix.edits)
    assert mended.text.endswith("2x2 2 rounding=ceil  # as printed")
    assert findings(mended) == ()


def test_a_convention_is_mended_by_an_exact_edit():
    text = source("In input 1 8x8", "P avgpool 1 4x4 3x3 2 1")
    (found,) = findings(text)
    assert found.code == "E205"
    mended = apply_edits(text, found.fixes[0].edits)
    assert mended.text.endswith(" divisor=inside")
    assert findings(mended) == ()


def test_a_search_ends_within_its_budget(monkeypatch):
    judged: list[str] = []

    def count(row, *rest):
        judged.append(row.name)
        return make_outcome(row, *rest)

    monkeypatch.setattr(checking, "make_outcome", count)
    rows = ["In input 1 99x99", *(f"C{i} conv 1 ? 1x1" for i in range(400)), "Z conv 1 5x5 1x1"]
    assert fixes(*rows)
    # A change of the input asks for a verdict on each of the rows, and there are many changes.
    assert len(judged) < 3_000 + 3 * len(rows)


@given(networks(), st.integers(0, 10**6), st.sampled_from(["size", "params", "macs", "maps"]))
def test_every_fix_of_a_falsified_claim_makes_it_true(network, change, name):
    text = with_false_claim(network, change, name)
    assume(text is not None)
    found = [d for d in findings(text) if d.severity == "error"]
    assert [(d.code, d.column) for d in found] == [
        ({"size": "E202", "params": "E203", "macs": "E204", "maps": "E206"}[name], name)
    ]
    assert found[0].fixes
    for fix in found[0].fixes:
        if "asks for a change" not in fix.message:
            mended = findings(apply_edits(text, fix.edits))
            assert [d for d in mended if d.severity == "error"] == [], fix


def test_no_pool_is_offered_that_leaves_less_than_the_window():
    found = fixes("In input 1 8x4", "L1 maxpool 1 4x2 1x3 1")
    assert found
    assert not [fix for fix in found if "L1_pool" in fix]


def with_false_claim(network: Network, change: int, name: str) -> Source | None:
    """The network's text with one claim more, a false one, as an option of some row."""
    rows = [row for row in network.rows[1:] if name not in row.cells and row.op.row_type != "lrn"]
    rows = [row for row in rows if name != "size" or network[row.name].type.is_image]
    if not rows:
        return None
    row = rows[change % len(rows)]
    facts = network[row.name]
    if name == "size":
        height, width = facts.type.height_width
        claim = f"{height + 1 + change % 3}x{width}"
    else:
        value = {"params": facts.params, "macs": facts.macs, "maps": facts.type.maps}[name]
        claim = str(value + 1 + change % 7)
    text, end = network.source.text, row.span.end
    return Source("t.cnn", f"{text[:end]} {name}={claim}{text[end:]}")


@given(st.integers(1, 9), st.integers(1, 4))
def test_nearby_values_come_nearest_first_and_never_the_value_itself(kernel, stride):
    op = Conv(6, (kernel, kernel), (stride, stride))
    for attribute in attributes_of(Conv):
        near = nearby(attribute, op, f32(20, 20, 3), 1.0)
        assert [far for far, _ in near] == sorted(far for far, _ in near)
        assert getattr(op, attribute.name) not in [value for _, value in near]
        for _, value in near:
            assert attribute.kind.parse(attribute.kind.format(value)) == value


def test_a_false_size_of_a_row_that_gives_one_of_two_extents_is_one_error():
    text = "cnn 1\nlayer type maps size\nIn input 3 8x8\nU resize 3 17x17 factor=2 mode=nearest\n"
    with pytest.raises(CnnError) as caught:
        load_network(Source("t.cnn", text))
    assert [d.code for d in caught.value.diagnostics] == ["E202"]
