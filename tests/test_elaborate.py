"""Texts become the networks that they say, and everything wrong with them is said at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from near_misses import mutated
from strategies import networks, texts

from cnndsl.errors import CODES, CnnError, LimitError, SpecError
from cnndsl.frontend.load import load_network, read_source
from cnndsl.ir.network import Network
from cnndsl.ir.text import format_graph
from cnndsl.ir.verify import verify
from cnndsl.limits import Limits
from cnndsl.ops.attributes import attributes_of
from cnndsl.resources import resource
from cnndsl.source import Source

HEADER = "layer  type  maps  size  kernel  stride  padding  activation"


def load(*rows: str, header: str = HEADER, limits: Limits | None = None) -> Network:
    text = "\n".join(["cnn 1", "network T", header, *rows])
    return load_network(Source("t.cnn", text), limits)


def codes(*rows: str, header: str = HEADER) -> list[str]:
    try:
        return [warning.code for warning in load(*rows, header=header).warnings]
    except CnnError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]


def graph(network: Network) -> list[str]:
    return format_graph(network.ir).splitlines()


def test_a_row_becomes_its_operator_and_what_follows_it():
    network = load("In input 1 8x8", "C1 conv 4 ? 3x3 1 valid relu dropout=0.25")
    assert graph(network) == [
        "In = input() maps=1 size=8x8 : f32[8,8,1]",
        "C1 = conv(In) maps=4 kernel=3x3 : f32[6,6,4]",
        "C1.relu = activation(C1) activation=relu : f32[6,6,4]",
        "C1.dropout = dropout(C1.relu) rate=0.25 : f32[6,6,4]",
        "output C1.dropout",
    ]
    assert network.rows[1].nodes == ("C1", "C1.relu", "C1.dropout")


def test_a_dense_row_behind_an_image_flattens_it_in_the_order_that_it_says():
    network = load("In input 2 3x3", "F1 dense 5 flatten=chw", "F2 dense 4")
    assert graph(network)[1:4] == [
        "F1.flatten = flatten(In) order=chw : f32[18]",
        "F1 = dense(F1.flatten) maps=5 flatten=chw : f32[5]",
        "F2 = dense(F1) maps=4 : f32[4]",
    ]


def test_the_readers_of_a_row_read_what_follows_its_operator():
    network = load(
        "In input 1 8x8",
        "C1 conv 4 ? 3x3 1 valid tanh",
        "C2 conv 4 ? 3x3",
        "C3 conv 4 ? 3x3 from=C1",
    )
    assert network.ir["C2"].inputs == ("C1.tanh",)
    assert network.ir["C3"].inputs == ("C1.tanh",)


def test_a_row_reads_the_row_above_unless_it_names_another():
    header = "layer type maps kernel from"
    network = load(
        "In input 1 size=8x8", "A conv 4 3x3 -", "B conv 4 3x3 In", "C conv 4 3x3", header=header
    )
    assert [network.ir[name].inputs for name in "ABC"] == [("In",), ("In",), ("B",)]


def test_a_row_may_read_several_rows_where_its_operator_does():
    rows = ["In input 1 8x8", "A conv 4 ? 3x3 1 same", "B conv 4 ? 3x3 1 same from=In"]
    network = load(*rows, "S add 4 8x8 from=A,B", "T add ? ? from=S,S")
    assert network.ir["S"].inputs == ("A", "B")
    assert network.ir["T"].inputs == ("S", "S")
    assert network.warnings == ()


def test_linear_adds_no_node():
    assert len(load("In input 1 8x8", "C1 conv 4 ? 3x3 1 valid linear").ir.nodes) == 2


def test_an_activation_or_dropout_row_is_its_own_operator():
    network = load(
        "In input 1 8x8", "A activation ? ? - - - tanh", "D dropout ? ? rate=0.5", "F dense 2"
    )
    assert [network[name].op.row_type for name in "AD"] == ["activation", "dropout"]


def test_a_dropout_column_is_the_rate_of_a_dropout_row():
    header = "layer type maps dropout"
    network = load("In input 1 - size=2x2", "D dropout ? 0.5", "F dense 2 0.1", header=header)
    assert graph(network)[1] == "D = dropout(In) rate=0.5 : f32[2,2,1]"
    assert graph(network)[4] == "F.dropout = dropout(F) rate=0.1 : f32[2]"


def test_an_alias_stands_for_its_attribute():
    network = load("In input 1 size=2x2", "F dense units=3", header="layer type maps")
    assert network["F"].shape == (3,)


def test_options_on_lines_of_their_own_continue_the_row():
    network = load("In input 1 8x8", "  range=0..1  # comment", "", "  layout=nchw", "F dense 2")
    assert network.input.range == (0.0, 1.0)
    assert network.input.layout == "nchw"


def test_a_cell_left_out_at_the_end_is_the_default():
    network = load("In input 1 8x8", "C1 conv 4 6x6 3x3")
    assert network.ir["C1"].op.stride == (1, 1)


def test_the_size_column_claims_an_image_size_also_where_a_row_has_an_option_size():
    network = load("In input 4 8x8", "N1 lrn 4 8x8 size=3 alpha=1e-4 beta=0.75 k=1")
    assert network.ir["N1"].op.size == 3


def test_multiplication_signs_and_commas_are_read():
    network = load("In input 1 1,024×8", "C1 conv 4 1022x6 3×3")
    assert network["C1"].shape == (1022, 6, 4)


def test_types_columns_and_keywords_are_read_in_any_case():
    network = load("In INPUT 1 8x8", "C1 Conv 4 6x6 3x3", header=HEADER.title())
    assert network["C1"].shape == (6, 6, 4)


def test_a_network_without_a_name_is_called_like_its_file():
    text = "cnn 1\nlayer type maps size\nIn input 1 8x8\nF dense 2\n"
    assert load_network(Source("nets/small.cnn", text)).name == "small"


def test_every_row_knows_its_place_and_that_of_its_cells():
    network = load("In input 1 8x8", "C1 conv 4 6x6 3x3 bias=no  # why")
    row = network.rows[1]
    assert row.span.text == "C1 conv 4 6x6 3x3 bias=no"
    assert {name: span.text for name, span in row.cells.items()} == {
        "maps": "4", "size": "6x6", "kernel": "3x3", "bias": "no"
    }  # fmt: skip


def test_a_row_that_nobody_reads_is_a_warning():
    network = load("In input 1 8x8", "A conv 4 ? 3x3", "B conv 4 ? 3x3 from=In")
    assert [(w.code, w.row) for w in network.warnings] == [("W101", "A")]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("C1 conv", "E107"),
        ("C1", "E107"),
        ("C1 cnov 4 6x6 3x3", "E104"),
        ("C1 conv 4 6x6 3x3 1 valid relu 7", "E112"),
        ("C1 conv 4 6x6 3x3 bais=no", "E105"),
        ("C1 conv 4 6x6 3x3 bias=maybe", "E108"),
        ("C1 conv 4 6x6 3x3 kernel=3x3", "E113"),
        ("C1 conv 4 6x6 3x3 1 ? relu", "E110"),
        ("C1 conv 4 6x6 3x3 1 valid ?", "E110"),
        ("C1 conv 4 6x6 3x3 - valid relu", "E109"),
        ("C1 conv 4 - 3x3", "E109"),
        ("C1 conv 4 6x6 3x3 params=-", "E109"),
        ("C1 conv 4 7x6 3x3", "E202"),
        ("C1 conv 4 6x6 3x3 params=41", "E203"),
        ("C1 conv 4 6x6 3x3 macs=1", "E204"),
        ("C1 maxpool 2 4x4 2x2 2", "E206"),
        ("C1 dense 4 ? ", "E109"),
        ("C1 dense 4 1x1", "E109"),
        ("C1 dense 4 - 3x3", "E109"),
        ("In conv 4 6x6 3x3", "E106"),
        ("1C conv 4 6x6 3x3", "E106"),
        ("C1 conv 4 6x6 3x3 from=In2", "E111"),
        ("C1 conv 4 6x6 3x3 from=C1", "E111"),
        ("C1 conv 4 6x6 3x3 from=In,In", "E201"),
        ("C1 input 1 8x8", "E114"),
        ("C1 conv 4 1x1 9x9", "E201"),
        ("C1 conv 4 4x4 3x3 2 same", "E205"),
        ("C1 conv 99999999 ? 3x3", "E303"),
    ],
)
def test_a_mistake_is_one_error(row, code):
    assert codes("In input 1 8x8", row) == [code]


@pytest.mark.parametrize(
    "row",
    ["C1 maxpool - 4x4 2x2 2", "C1 activation - ? - - - relu", "C1 lrn 1 - n=3 alpha=1 beta=1 k=1"],
)
def test_a_dash_is_an_error_where_a_claim_applies(row):
    assert codes("In input 1 8x8", row) == ["E109"]


@pytest.mark.parametrize("maps", ["-", "?", "64"])
def test_features_of_a_vector_may_be_claimed_as_maps_or_not(maps):
    assert codes("In input 1 8x8", f"F1 flatten {maps} -") == []


def test_mistakes_in_different_rows_are_all_reported_once():
    rows = [
        "In input 1 8x8",
        "A cnov 4 6x6 3x3",
        "B conv 4 4x4 3y3",
        "C conv 4 3x3 3x3",
        "D dense x",
    ]
    assert codes(*rows) == ["E104", "E108", "E202", "E108"]


def test_a_wrong_input_size_is_reported_where_it_shows_and_in_no_row_below():
    rows = ["In input 1 9x9", *(f"C{i} conv 4 {6 - 2 * i}x{6 - 2 * i} 3x3" for i in range(3))]
    assert codes(*rows) == ["E202"]


def test_a_wrong_claim_is_reported_once_though_the_rows_below_do_not_follow_from_it():
    rows = ["In input 1 8x8", "A conv 4 5x5 3x3", "B conv 4 4x4 3x3", "C conv 4 2x2 3x3"]
    assert codes(*rows) == ["E202"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("layer type maps sise kernel", "E103"),
        ("layer type maps size kernel maps", "E103"),
        ("layer maps type size kernel", "E102"),
        ("layer", "E102"),
        ("lyaer type maps size kernel", "E102"),
    ],
)
def test_a_header_that_cannot_be_read_is_one_error(header, code):
    assert codes("In input 1 8x8", "C1 conv 4 6x6 3x3", header=header) == [code]


@pytest.mark.parametrize("first", ["", "cnn", "cnn 2", "cnn one", "cnn 1 2"])
def test_a_text_must_name_version_1(first):
    text = f"{first}\nlayer type maps size\nIn input 1 8x8\nF dense 2\n"
    with pytest.raises(SpecError) as caught:
        load_network(Source("t.cnn", text))
    assert [d.code for d in caught.value.diagnostics] == ["E101"]


def test_a_dash_may_stand_for_what_an_option_gives_also_where_cells_are_left_out():
    header = "layer type maps bias size kernel"
    row = "N1 lrn 1 - n=3 alpha=1 beta=1 k=1"  # bias is another name of k
    assert codes("In input 1 - 8x8", row, header=header) == []


def test_a_row_named_like_the_row_that_it_reads_is_checked_all_the_same():
    rows = ["In input 1 8x8", "S maxpool 1 4x4 2x2 2", "S maxpool 1 4x4 2x2 2"]
    assert codes(*rows) == ["E106", "E202"]


def test_a_network_larger_than_the_memory_limit_is_refused_at_its_largest_row():
    with pytest.raises(LimitError) as caught:
        load("In input 1 8x8", "F1 dense 1,000,000", limits=Limits(memory=2**20))
    assert (caught.value.code, caught.value.diagnostics[0].row) == ("E304", "F1")


def test_no_more_errors_are_looked_for_than_anybody_reads():
    with pytest.raises(SpecError) as caught:
        load("In input 1 8x8", *(f"C{i} cnov" for i in range(500)))
    assert len(caught.value.diagnostics) == 100
    assert "may be more" in str(caught.value)


@given(networks())
def test_a_random_valid_text_becomes_a_valid_graph(network):
    verify(network.ir)
    assert len(graph(network)) == len(network.ir.nodes) + 1


@given(networks(), st.randoms(use_true_random=False))
def test_where_a_value_stands_does_not_matter(network, random):
    """A network's own rows, written with every attribute as an option, are the same network."""
    lines = ["cnn 1", "network T", "layer type"]
    for i, row in enumerate(network.rows):
        options = [
            f"{a.name}={a.kind.format(getattr(row.op, a.name))}"
            for a in attributes_of(type(row.op))
            if getattr(row.op, a.name) not in (None, ())
        ]
        nodes = network.nodes_of(row)
        main = next(node for node in nodes if node.name == row.name)
        for node in nodes[nodes.index(main) + 1 :]:
            (attribute,) = attributes_of(type(node.op))
            value = attribute.kind.format(getattr(node.op, attribute.name))
            options.append(f"{node.op.row_type}={value}")
        if i:
            first = nodes[0]
            read = next(r for r in network.rows if r.result == first.inputs[0])
            options.append(f"from={read.name}")
        random.shuffle(options)
        lines.append(" ".join([row.name, row.op.row_type, *options]))
    again = load_network(Source("t.cnn", "\n".join(lines)))
    assert format_graph(again.ir) == format_graph(network.ir)


@given(texts().flatmap(mutated))
def test_a_near_miss_is_a_network_or_has_findings_with_places(text):
    expect_network_or_findings(text)


SHORT = ["alexnet", "lenet5_1998", "resnet18", "squeezenet1_1", "nin"]
SPECS = [read_source(resource("specs", f"{name}.cnn")).text for name in SHORT]


@given(st.sampled_from(SPECS).flatmap(mutated))
def test_a_near_miss_of_a_shipped_spec_is_a_network_or_has_findings_with_places(text):
    expect_network_or_findings(text)


def expect_network_or_findings(text: str) -> None:
    try:
        found = load_network(Source("t.cnn", text)).warnings
    except CnnError as error:
        found = error.diagnostics
        assert any(diagnostic.severity == "error" for diagnostic in found)
    for diagnostic in found:
        assert diagnostic.code in CODES
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert str(diagnostic)
