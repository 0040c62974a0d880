"""A block stands for its rows: the same graph as the flat table, up to the names."""

import re

import numpy as np
import pytest

from cnndsl.api import compile as compile_network
from cnndsl.errors import CnnError, LimitError, SpecError
from cnndsl.frontend.format import format_text
from cnndsl.frontend.load import load_network
from cnndsl.ir.network import Network
from cnndsl.ir.text import format_graph
from cnndsl.limits import Limits
from cnndsl.source import Source

RESIDUAL = """\
cnn 1
network Residual

block Bottleneck(maps, stride=1, project=no)
layer  type  maps     kernel  stride   padding  activation
c1     conv  $maps    1x1     1        valid    relu
c2     conv  $maps    3x3     $stride  1        relu
c3     conv  $maps*4  1x1     1        valid
sc     conv  $maps*4  1x1     $stride  valid    -           from=in when=$project
out    add   $maps*4  -       -        -        relu        from=c3,sc
end

layer  type        maps  size   stride  project
In     input       8     12x12
R1     Bottleneck  2     12x12
R2     Bottleneck  2     12x12                   repeat=2
R3     Bottleneck  4     6x6    2       yes
"""


def load(text: str, limits: Limits | None = None) -> Network:
    return load_network(Source("t.cnn", text), limits)


def of(block: str, *rows: str, header: str = "layer type maps size") -> Network:
    return load("\n".join(["cnn 1", block, header, "In input 8 12x12", *rows]))


def codes(text: str) -> list[str]:
    try:
        return [warning.code for warning in load(text).warnings]
    except CnnError as error:
        return [diagnostic.code for diagnostic in error.diagnostics]


def graph(network: Network) -> list[str]:
    return format_graph(network.ir).splitlines()


def test_a_row_in_a_block_is_addressed_by_the_row_that_uses_it():
    network = load(RESIDUAL)
    names = [row.name for row in network.rows]
    assert names[1:5] == ["R1.c1", "R1.c2", "R1.c3", "R1.out"]
    assert names[5:9] == ["R2.1.c1", "R2.1.c2", "R2.1.c3", "R2.1.out"]
    assert names[-2:] == ["R3.sc", "R3.out"]
    assert "R2.2.c1.weight" in network.param_table


def test_a_row_that_is_left_out_stands_for_what_it_reads():
    network = load(RESIDUAL)
    assert network.ir["R1.out"].inputs == ("R1.c3", "In")
    assert network.ir["R3.out"].inputs == ("R3.c3", "R3.sc")


def test_of_several_rows_a_row_that_is_left_out_stands_for_the_first():
    block = """block B(join)
layer type maps kernel
c1 conv 8 1x1
out add ? - from=c1,in when=$join
end"""
    network = of(block, "A B ? 12x12 join=no", "B B ? 12x12 join=yes")
    assert network.ir["B.c1"].inputs == ("A.c1",)
    assert network.ir["B.out"].inputs == ("B.c1", "A.c1")


def test_each_repetition_reads_the_one_before():
    network = load(RESIDUAL)
    assert network.ir["R2.1.c1"].inputs == ("R1.out.relu",)
    assert network.ir["R2.2.c1"].inputs == ("R2.1.out.relu",)
    assert network.ir["R3.c1"].inputs == ("R2.2.out.relu",)


def test_a_block_that_is_repeated_no_times_stands_for_what_it_reads():
    network = load(RESIDUAL.replace("repeat=2", "repeat=0"))
    assert network.ir["R3.c1"].inputs == ("R1.out.relu",)
    assert network["R2"].params == 0


def test_a_row_of_a_block_type_is_known_by_the_sums_of_its_rows():
    network = load(RESIDUAL)
    facts = network["R2"]
    assert facts.shape == (12, 12, 8)
    assert facts.row.rows == tuple(row.name for row in network.rows[5:13])
    assert facts.params == sum(network[name].params for name in facts.row.rows)
    assert facts.macs == sum(network[name].macs for name in facts.row.rows)
    assert network["R2.1"].params * 2 == facts.params
    assert network.params == sum(network[name].params for name in ("In", "R1", "R2", "R3"))


def test_what_a_row_claims_holds_for_its_whole_block():
    costs = load(RESIDUAL)["R2"]
    claimed = RESIDUAL.replace("repeat=2", f"repeat=2 params={costs.params} macs={costs.macs}")
    assert codes(claimed) == []
    assert codes(RESIDUAL.replace("repeat=2", "repeat=2 params=1")) == ["E203"]
    assert codes(RESIDUAL.replace("repeat=2", "repeat=2 macs=1")) == ["E204"]
    assert codes(RESIDUAL.replace("2     12x12\nR2", "2     11x11\nR2")) == ["E202"]


def test_a_row_below_can_read_a_row_in_a_block():
    network = load(f"{RESIDUAL}J concat 20 12x12 from=R1.c3,R2.2.c3,R2.1.c1,R1.c1\n")
    assert network.ir["J"].inputs == ("R1.c3", "R2.2.c3", "R2.1.c1.relu", "R1.c1.relu")
    assert codes(f"{RESIDUAL}J maxpool 8 ? kernel=1 stride=1 from=R1.sc\n") == ["E111"]


def test_a_row_name_can_be_an_argument_through_several_blocks():
    text = """block Join(other)
layer type maps from
out concat ? in,$other
end

block Up(maps, skip)
layer type maps kernel
c1 conv $maps 3x3 padding=1
join Join ? - other=$skip
end"""
    network = of(
        text, "c1 conv 4 12x12 kernel=1x1", "U Up 6 12x12 skip=c1", "V Up 6 ? skip=U.c1,In"
    )
    assert network.ir["U.join.out"].inputs == ("U.c1", "c1")
    assert network.ir["V.join.out"].inputs == ("V.c1", "U.c1", "In")


@pytest.mark.parametrize(
    ("cell", "maps"),
    [
        ("$n", 6),
        ("$n*2+1", 13),
        ("$n+1*2", 8),
        ("($n+1)*2", 14),
        ("$n//4", 1),
        ("-$n+10", 4),
        ("$n-1-1", 4),
        ('"$n * 2"', 12),
    ],
)
def test_a_cell_can_be_calculated(cell, maps):
    block = f"block B(n)\nlayer type maps kernel\nc1 conv {cell} 1x1\nend"
    assert of(block, "A B ? 12x12 n=6")["A"].shape == (12, 12, maps)


@pytest.mark.parametrize(("cell", "kernel"), [("1x$k", (1, 3)), ("($k)x1", (3, 1)), ("$k", (3, 3))])
def test_the_sides_of_a_size_are_calculated_by_themselves(cell, kernel):
    block = f"block B(k)\nlayer type maps kernel\nc1 conv 4 {cell}\nend"
    assert of(block, "A B ? ? k=3").ir["A.c1"].op.kernel == kernel


@pytest.mark.parametrize(
    ("condition", "there"),
    [
        ("yes", True),
        ("no", False),
        ("$n", True),
        ("$n-6", False),
        ("$n==6", True),
        ("$n!=6", False),
        ("$n<=5", False),
        ("$n>=6", True),
        ("$word==max", True),
        ('"$n < 7"', True),
    ],
)
def test_a_condition_says_whether_a_row_is_there(condition, there):
    for block in (
        f"block B(n, word)\nlayer type maps kernel\nc1 conv 8 1x1\nc2 conv 8 1x1 when={condition}",
        f"block B(n, word)\nlayer type when maps kernel\nc1 conv - 8 1\nc2 conv {condition} 8 1",
        f"block B(n, word, p={condition})\nlayer type maps kernel when\nc conv 8 1\nc2 conv 8 1 $p",
    ):
        network = of(f"{block}\nend", "A B ? ? n=6 word=max")
        assert ("A.c2" in [row.name for row in network.rows]) == there


def test_a_parameter_can_be_a_word_of_any_kind():
    block = """block B(padding, act, norm)
layer type maps kernel padding activation norm
c1 conv 8 3x3 $padding $act $norm
end"""
    network = of(block, "A B ? 12x12 padding=same act=leaky_relu(0.1) norm=batch(1e-3)")
    assert graph(network)[1:4] == [
        "A.c1 = conv(In) maps=8 kernel=3x3 padding=same bias=no : f32[12,12,8]",
        "A.c1.norm = batchnorm(A.c1) epsilon=0.001 : f32[12,12,8]",
        "A.c1.leaky_relu = activation(A.c1.norm) activation='leaky_relu(0.1)' : f32[12,12,8]",
    ]


def test_a_default_can_depend_on_parameters_before_it():
    block = "block B(n, m=$n//2)\nlayer type maps kernel\nc1 conv $m 1x1\nend"
    assert of(block, "A B ? 12x12 n=6")["A"].shape[2] == 3
    assert of(block, "A B ? 12x12 n=6 m=5")["A"].shape[2] == 5


def test_a_normalized_row_has_a_bias_only_if_it_says_so():
    rows = [
        "A conv 4 12x12 kernel=1 norm=batch(1e-5)",
        "B conv 4 12x12 kernel=1 norm=batch(1e-5) bias=yes",
    ]
    names = list(of("", *rows).param_table)
    norm = ["norm.weight", "norm.bias", "norm.mean", "norm.variance"]
    assert names == [f"A.{n}" for n in ["weight", *norm]] + [
        f"B.{n}" for n in ["weight", "bias", *norm]
    ]


def test_a_network_of_blocks_runs():
    model = compile_network(load(RESIDUAL), seed=0)
    assert model(np.ones((2, 12, 12, 8), np.float32)).shape == (2, 6, 6, 16)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("A Bottleneck", "E107"),
        ("A Bottleneck 2 12x12 - many", "E108"),
        ("A Bottleneck 2 12x12 0 yes", "E108"),
        ("A Bottleneck many 12x12", "E108"),
        ("A Bottleneck 2 12x12 maps=2", "E113"),
        ("A Bottleneck 2 12x12 kernel=3x3", "E105"),
        ("A Bottleneck 2 12x12 repeat=-1", "E108"),
        ("A Bottleneck 2 12x12 from=In,In", "E201"),
        ("A Bottleneck 2 12x12 from=R9", "E111"),
        ("A Bottleneck 2 12x12 when=yes", "E105"),
        ("A Bottleneck 3 12x12", "E201"),
        ("A Bottleneck 2 6x6 2", "E201"),
        ("A bottleneck 2 12x12", "E104"),
        ("A Bottleneck 2 - ", "E109"),
        ("A conv 4 12x12 repeat=2", "E105"),
        ("A conv $maps 12x12 kernel=1x1", "E108"),
    ],
)
def test_a_mistake_in_a_row_that_uses_a_block_is_one_error(row, code):
    table = RESIDUAL[: RESIDUAL.index("R1 ")]
    assert codes(f"{table}{row}\n") == [code]


def test_an_error_in_a_block_shows_both_places():
    with pytest.raises(SpecError) as caught:
        load(RESIDUAL.replace("R3     Bottleneck  4     6x6 ", "R3     Bottleneck  4     5x5 "))
    with pytest.raises(SpecError) as inner:
        load(RESIDUAL.replace("R2     Bottleneck  2 ", "R2     Bottleneck  3 "))
    assert caught.value.span.line == 17
    assert inner.value.span.line == 10
    assert inner.value.diagnostics[0].row == "R2.1.out"
    note = "in block Bottleneck, used by row R2.1 at t.cnn:16:1"
    assert note in inner.value.diagnostics[0].notes


def test_a_block_in_a_block_names_every_row_that_expanded_it():
    text = """block Inner(n)
layer type maps kernel
c1 conv 4 $n
end

block Outer(n)
layer type n
a Inner $n
end"""
    with pytest.raises(SpecError) as caught:
        of(text, "A Outer - - n=99")
    assert [note.split(",")[0] for note in caught.value.diagnostics[0].notes[-2:]] == [
        "in block Inner",
        "in block Outer",
    ]


def test_a_block_that_nothing_uses_is_checked_all_the_same():
    assert codes(RESIDUAL.replace("c2     conv", "c2     cnov")) == ["E104"]
    unused = f"block Unused(n)\nlayer type maps\nc1 cnov $n\nend\n{RESIDUAL[6:]}"
    assert codes(f"cnn 1\n{unused}") == ["E104"]


@pytest.mark.parametrize("repeat", ["repeat=2,000", "repeat=999,999,999"])
def test_an_expansion_to_too_many_rows_is_refused_before_it_is_made(repeat):
    with pytest.raises(LimitError) as caught:
        load(RESIDUAL.replace("repeat=2", repeat))
    assert (caught.value.code, caught.value.span.line) == ("E302", 16)


def test_blocks_that_repeat_blocks_are_counted_before_they_explode():
    declared = ["block B0(n)\nlayer type maps kernel\nc conv $n 1x1 when=no\nend"]
    declared += [
        f"block B{i}(n)\nlayer type n\nc B{i - 1} $n repeat=1,000\nend" for i in range(1, 6)
    ]
    with pytest.raises(LimitError) as caught:
        of("\n".join(declared), "A B5 - - n=4")
    assert caught.value.code == "E302"


def test_the_work_for_each_block_does_not_grow_with_the_blocks_above_it():
    """With a copy of all others for each block, this would take minutes."""
    declared = [f"block B{i}(n)\nlayer type maps kernel\nc conv $n 1x1\nend" for i in range(2000)]
    assert len(of("\n".join(declared), "A B1999 ? 12x12 n=4")) == 2


def test_blocks_in_blocks_have_a_limit():
    declared = ["block B0(n)\nlayer type maps kernel\nc conv $n 1x1\nend"]
    declared += [f"block B{i}(n)\nlayer type n\nc B{i - 1} $n\nend" for i in range(1, 20)]
    text = "\n".join(["cnn 1", *declared, "layer type maps size", "In input 1 4x4"])
    assert len(load(f"{text}\nA B15 4 ? n=4")) == 2
    with pytest.raises(LimitError) as caught:
        load(f"{text}\nA B16 4 ? n=4")
    assert caught.value.code == "E305"
    assert len(load(f"{text}\nA B16 4 ? n=4", Limits(nesting=17))) == 2


def test_formatting_aligns_each_block_by_itself():
    ragged = re.sub(" +", " ", RESIDUAL).replace("stride=1, project=no", "stride = 1,project=no")
    formatted = format_text(Source("t.cnn", ragged))
    assert format_text(Source("t.cnn", formatted)) == formatted
    assert graph(load(formatted)) == graph(load(RESIDUAL))
    assert "block Bottleneck(maps, stride=1, project=no)" in formatted
    assert format_text(Source("t.cnn", RESIDUAL)) == RESIDUAL


def test_filling_writes_into_a_block_what_is_the_same_for_every_use():
    text = """cnn 1
block B(maps)  # a block
layer  type  maps   size  kernel  params
c1     conv  $maps  ?     1x1     ?
c2     conv  8      ?     1x1     ?
end

layer  type   maps  size   params
In     input  8     12x12
A      B      4     ?      ?
B      B      2     ?
"""
    filled = format_text(Source("t.cnn", text), fill=True)
    assert [re.sub(" +", " ", line) for line in filled.splitlines()[1:]] == [
        "block B(maps) # a block",
        "layer type maps size kernel params",
        "c1 conv $maps 12x12 1x1 ?",
        "c2 conv 8 12x12 1x1 ?",
        "end",
        "",
        "layer type maps size params",
        "In input 8 12x12 -",
        "A B 4 12x12 76",
        "B B 2 12x12 42",
    ]
