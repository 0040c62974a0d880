"""What each pass makes of a small graph, as text; and what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest
from graph_strategies import images_of, weights_of
from graphs import graph_of

from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.ir.graph import Graph
from cnndsl.ir.text import format_graph
from cnndsl.ir.verify import InvalidGraph, verify
from cnndsl.passes.drop_dead import DropDead
from cnndsl.passes.drop_identity import DropIdentity
from cnndsl.passes.fold_pad import FoldPad
from cnndsl.passes.fuse_activation import FuseActivation
from cnndsl.passes.fuse_residual import FuseResidual
from cnndsl.passes.join_concats import JoinConcats
from cnndsl.passes.merge_common import MergeCommon
from cnndsl.passes.split_separable import SplitSeparable

IN = ("In", "input maps=2 size=6", "")
RELU = "activation activation=relu"
NORM = "batchnorm epsilon=1e-3"
SAME = "conv maps=2 kernel=3 padding=same"


def lines(graph):
    """The text behind the input's line."""
    return format_graph(graph).splitlines()[1:]


def assert_unchanged(rewrite, *rows):
    graph = graph_of(IN, *rows)
    assert rewrite.run(graph) is graph


def test_drop_dead():
    graph = graph_of(IN, ("A", RELU, "In"), ("B", RELU, "A"), ("C", "dropout rate=0.5", "In"))
    assert lines(DropDead().run(graph)) == ["C = dropout(In) rate=0.5 : f32[6,6,2]", "output C"]


def test_an_input_that_nobody_reads_stays():
    graph = graph_of(IN, ("In2", "input maps=1 size=1", ""), ("A", RELU, "In"))
    assert_unchanged(DropDead(), ("In2", "input maps=1 size=1", ""), ("A", RELU, "In"))
    assert len(DropDead().run(graph).inputs) == 2


def test_drop_identity():
    graph = graph_of(
        IN,
        ("A", "dropout rate=0.5", "In"),
        ("B", "pad padding=0", "A"),
        ("C", "slice row_range=0:6", "B"),
        ("D", "shuffle groups=1", "C"),
        ("E", "reshape to=6x6x2", "D"),
        ("F", "resize mode=nearest factor=1", "E"),
        ("G", "activation activation=linear", "F"),
        ("I", "maxpool kernel=1 stride=1", "G"),
        ("J", "avgpool kernel=1 stride=1", "I"),
        ("H", RELU, "J"),
    )
    assert lines(DropIdentity().run(graph)) == [
        "H = activation(In) activation=relu : f32[6,6,2]",
        "output H",
    ]


@pytest.mark.parametrize(
    "row",
    [
        "slice row_range=1:",
        "shuffle groups=3",
        "reshape to=6x2x18",
        "resize mode=nearest factor=2",
        "pad padding=1",
        "flatten",
        "maxpool kernel=1 stride=2",
        "avgpool kernel=2 stride=1 padding=0+1 divisor=padded",
        "globalavgpool",
        "lppool kernel=1 stride=1 p=2",
    ],
)
def test_what_moves_a_cell_is_no_identity(row):
    image = ("In", "input maps=6 size=6", "")
    graph = graph_of(image, ("A", row, "In"))
    assert DropIdentity().run(graph) is graph


@pytest.mark.parametrize("row", ["globalavgpool", "globalmaxpool", "maxpool kernel=1 stride=2"])
def test_a_pool_of_a_single_cell_is_an_identity(row):
    graph = graph_of(("In", "input maps=6 size=1", ""), ("A", row, "In"), ("B", RELU, "A"))
    assert DropIdentity().run(graph)["B"].inputs == ("In",)


def test_join_concats():
    graph = graph_of(
        IN,
        ("A", RELU, "In"),
        ("B", "concat", "In A"),
        ("C", "concat", "A B"),
        ("D", "concat", "C In"),
        ("E", "concat axis=height", "D D"),
        ("F", "concat axis=height", "D E"),
    )
    assert lines(JoinConcats().run(graph))[1:] == [
        "D = concat(A, In, A, In) : f32[6,6,8]",
        "F = concat(D, D, D) axis=height : f32[18,6,8]",
        "output F",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [("A", "concat", "In In"), ("B", "concat", "A A")],
        [("A", "concat axis=height", "In In"), ("B", "concat", "A A")],
        [("A", "concat", "In In"), ("A.relu", RELU, "A"), ("B", "concat", "A.relu A")],
    ],
    ids=["read twice", "another axis", "read by another"],
)
def test_a_concatenation_stays_where_it_is_needed_itself(rows):
    assert_unchanged(JoinConcats(), *rows)


def test_split_separable():
    graph = graph_of(
        IN,
        ("S", "separable maps=5 kernel=3 stride=2 padding=1 multiplier=2", "In"),
        ("S.relu", RELU, "S"),
    )
    assert lines(SplitSeparable().run(graph)) == [
        "S.depthwise = depthwise(In) kernel=3x3 stride=2 padding=1 multiplier=2 bias=no "
        ": f32[3,3,4]",
        "S = conv(S.depthwise) maps=5 kernel=1x1 : f32[3,3,5]",
        "S.relu = activation(S) activation=relu : f32[3,3,5]",
        "output S.relu",
    ]
    prefixes = [node.prefix for node in SplitSeparable().run(graph).nodes]
    assert prefixes[:3] == ["In", "S.depthwise", "S.pointwise"]


def test_fold_pad():
    graph = graph_of(
        IN,
        ("P", "pad padding=0+1x2", "In"),
        ("A", "conv maps=3 kernel=3 stride=2 padding=same_upper", "P"),
        ("B", "depthwise kernel=3", "P"),
        ("C", "slice column_range=:5 row_range=:4 map_range=:1", "B"),
        ("Q", "pad padding=1 mode=edge", "A"),
        ("D", "conv maps=1 kernel=3", "Q"),
        ("E", "slice column_range=:5 row_range=:4", "D"),
        ("F", "add", "C E"),
    )
    assert lines(FoldPad().run(graph))[:3] == [
        # 7x10 cells through 3x3 stride 2, same_upper: one row above and below, one column behind
        "A = conv(In) maps=3 kernel=3x3 stride=2 padding=1+2x2+3 : f32[4,5,3]",
        "B = depthwise(In) kernel=3x3 padding=0+1x2 : f32[5,8,2]",
        "C = slice(B) map_range=:1 row_range=:4 column_range=:5 : f32[4,5,1]",
    ]
    assert "Q = pad(A) padding=1 mode=edge : f32[6,7,3]" in lines(FoldPad().run(graph))


def test_a_pad_stays_for_whoever_else_reads_it():
    graph = graph_of(
        IN,
        ("P", "pad padding=1", "In"),
        ("A", "conv maps=2 kernel=1", "P"),
        ("B", "maxpool kernel=1 stride=1", "P"),
        ("C", "add", "A B"),
    )
    after = FoldPad().run(graph)
    assert after["A"].inputs == ("In",)
    assert after["P"] == graph["P"]


def test_pads_behind_each_other_are_folded_together():
    graph = graph_of(
        IN,
        ("P", "pad padding=1", "In"),
        ("Q", "pad padding=0+2", "P"),
        ("A", "conv maps=2 kernel=3 padding=same", "Q"),
    )
    assert lines(FoldPad().run(graph)) == [
        "A = conv(In) maps=2 kernel=3x3 padding=2+4 : f32[10,10,2]",
        "output A",
    ]


def test_a_pad_stays_for_a_dead_reader():
    graph = graph_of(
        IN,
        ("P", "pad padding=1", "In"),
        ("D", "maxpool kernel=1 stride=1", "P"),
        ("A", "conv maps=2 kernel=1", "P"),
    )
    verify(FoldPad().run(graph))


def test_merge_common():
    graph = graph_of(
        IN,
        ("A", RELU, "In"),
        ("B", RELU, "In"),
        ("C", "maxpool kernel=2 stride=2", "A"),
        ("D", "maxpool kernel=2 stride=2", "B"),
        ("E", "avgpool kernel=2 stride=2", "B"),
        ("F", "concat", "C D E"),
    )
    assert lines(MergeCommon().run(graph)) == [
        "A = activation(In) activation=relu : f32[6,6,2]",
        "C = maxpool(A) kernel=2x2 stride=2 : f32[3,3,2]",
        "E = avgpool(A) kernel=2x2 stride=2 : f32[3,3,2]",
        "F = concat(C, C, E) : f32[3,3,6]",
        "output F",
    ]


def test_rows_with_parameters_are_never_the_same():
    assert_unchanged(MergeCommon(), ("A", SAME, "In"), ("B", SAME, "In"), ("C", "add", "A B"))


def test_fuse_residual():
    graph = graph_of(
        IN,
        ("A", "conv maps=3 kernel=1", "In"),
        ("B", "conv maps=3 kernel=3 padding=same", "In"),
        ("S", "add", "B A"),
        ("S.relu", RELU, "S"),
        ("C", SAME.replace("maps=2", "maps=3"), "S.relu"),
        ("T", "add", "S.relu C"),
    )
    after = FuseActivation().run(FuseResidual().run(graph))
    assert lines(after) == [
        "A = conv(In) maps=3 kernel=1x1 : f32[6,6,3]",
        "B = conv(In, A) maps=3 kernel=3x3 padding=same |> add |> activation activation=relu "
        ": f32[6,6,3]",
        "C = conv(B, B) maps=3 kernel=3x3 padding=same |> add : f32[6,6,3]",
        "output C",
    ]
    verify(after)
    weights, x = weights_of(graph, 0), images_of(graph, 2, 0)
    np.testing.assert_array_equal(evaluate(after, weights, x), evaluate(graph, weights, x))


def test_a_convolution_moves_behind_a_shortcut_that_is_computed_later():
    graph = graph_of(
        IN,
        ("A", SAME, "In"),
        ("B", "maxpool kernel=1 stride=1", "In"),
        ("S", "add", "A B"),
    )
    assert lines(FuseResidual().run(graph)) == [
        "B = maxpool(In) kernel=1x1 stride=1 : f32[6,6,2]",
        "A = conv(In, B) maps=2 kernel=3x3 padding=same |> add : f32[6,6,2]",
        "output A",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [("A", SAME, "In"), ("S", "add", "A A")],
        [("A", SAME, "In"), ("S", "add", "A In In")],
        [("A", "maxpool kernel=1 stride=1", "In"), ("S", "add", "A In")],
        [("A", SAME, "In"), ("B", RELU, "A"), ("S", "add", "B In"), ("T", "concat", "A S")],
    ],
    ids=["twice the same", "three", "no filter", "behind a function"],
)
def test_a_sum_stays_where_no_filter_can_take_it_up(rows):
    assert_unchanged(FuseResidual(), *rows)


def test_an_activation_stays_behind_what_only_moves_cells():
    rows = ("A", "concat", "In In"), ("A.relu", RELU, "A")
    assert_unchanged(FuseActivation(), *rows)


def test_an_epilogue_reads_tensors_of_its_result_s_shape():
    fused = FuseResidual().run(graph_of(IN, ("A", SAME, "In"), ("S", "add", "A In")))
    smaller = graph_of(IN, ("P", "maxpool kernel=2 stride=2", "In"))
    node = replace(fused["A"], inputs=("In", "P"))
    with pytest.raises(InvalidGraph, match="reads tensors of another shape"):
        verify(Graph((*smaller.nodes, node), ("A",)))
