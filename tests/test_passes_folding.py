"""What the passes that fold into weights make of small graphs, as text."""

import numpy as np
import pytest
from graph_strategies import images_of, weights_of
from graphs import graph_of
from test_passes_golden import IN, NORM, RELU, SAME, assert_unchanged, lines

from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.ir.graph import Graph
from cnndsl.ir.verify import verify
from cnndsl.passes.fold_affine import FoldAffine
from cnndsl.passes.fold_constants import FoldConstants
from cnndsl.passes.fuse_activation import FuseActivation
from cnndsl.passes.fuse_residual import FuseResidual


def test_fold_affine_draws_in_batch_norm():
    graph = graph_of(
        IN,
        ("A", "conv maps=3 kernel=3 bias=no", "In"),
        ("B", NORM, "A"),
        ("C", "batchnorm epsilon=0.1 scale=no", "B"),
        ("C.relu", RELU, "C"),
        ("D", "dense maps=4", "C.relu.flatten"),
        ("E", NORM, "D"),
    )
    nodes = list(graph.nodes)
    flatten = graph_of(("C.relu.flatten", "flatten", "C.relu")).nodes
    graph = Graph((*nodes[:5], *flatten, *nodes[5:]), graph.outputs)
    after = FoldAffine().run(graph)
    assert lines(after) == [
        "A = conv(In) maps=3 kernel=3x3 bias=no * B: batchnorm epsilon=0.001 * C: batchnorm "
        "epsilon=0.1 scale=no : f32[4,4,3]",
        "C.relu = activation(A) activation=relu : f32[4,4,3]",
        "C.relu.flatten = flatten(C.relu) : f32[48]",
        "D = dense(C.relu.flatten) maps=4 * E: batchnorm epsilon=0.001 : f32[4]",
        "output D",
    ]
    weights, x = weights_of(graph, 0), images_of(graph, 2, 0)
    (y,), (expected,) = evaluate(after, weights, x), evaluate(graph, weights, x)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "rows",
    [
        [("A", SAME, "In"), ("B", NORM, "A"), ("C", "add", "A B")],
        [("A", SAME, "In"), ("A.relu", RELU, "A"), ("B", NORM, "A.relu")],
        [("A", "maxpool kernel=2 stride=2", "In"), ("B", NORM, "A")],
        [("A", NORM, "In")],
    ],
    ids=["read by another", "behind a function", "behind a pool", "behind the input"],
)
def test_a_normalization_stays_where_no_weights_can_take_it_up(rows):
    assert_unchanged(FoldAffine(), *rows)


def test_a_value_that_is_an_output_stays_as_it_is():
    graph = graph_of(IN, ("A", SAME, "In"), ("B", NORM, "A"))
    both = Graph(graph.nodes, ("A", "B"))
    for rewrite in (FoldAffine(), FuseActivation(), FuseResidual()):
        assert rewrite.run(both) is both


def test_fold_affine_draws_in_products_and_sums_with_constants():
    graph = graph_of(
        IN,
        ("G", "constant maps=3", ""),
        ("A", "conv maps=3 kernel=3 bias=no", "In"),
        ("B", NORM, "A"),
        ("C", "mul", "G B"),
        ("P", "globalavgpool", "C"),
        ("D", "conv maps=2 kernel=1", "P"),
        ("S", "constant maps=2 size=1", ""),
        ("E", "add", "D S"),
        ("F", "mul", "E S"),
    )
    after = FoldAffine().run(graph)
    assert lines(after) == [
        "A = conv(In) maps=3 kernel=3x3 bias=no * B: batchnorm epsilon=0.001 "
        "* C: mul [G = constant() maps=3] : f32[4,4,3]",
        "P = globalavgpool(A) : f32[1,1,3]",
        "D = conv(P) maps=2 kernel=1x1 * E: add [S = constant() maps=2 size=1x1] "
        "* F: mul [S = constant() maps=2 size=1x1] : f32[1,1,2]",
        "output D",
    ]
    verify(after)
    weights, x = weights_of(graph, 0), images_of(graph, 2, 0)
    (y,), (expected,) = evaluate(after, weights, x), evaluate(graph, weights, x)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "rows",
    [
        [("G", "constant maps=2 size=6", ""), ("A", SAME, "In"), ("B", "mul", "A G")],
        [("G", "constant maps=2 size=6", ""), ("A", SAME, "In"), ("B", "add", "A G")],
        [("G", "constant maps=2", ""), ("A", SAME, "In"), ("B", "mul", "A G A")],
        [
            ("G", "constant maps=2 size=3", ""),
            ("A", "conv maps=2 kernel=6", "In"),
            ("B", "mul", "A G"),
        ],
    ],
    ids=["a number a cell", "a sum of cells", "three", "a larger result"],
)
def test_a_constant_that_is_no_number_a_map_stays(rows):
    assert_unchanged(FoldAffine(), *rows)


def test_fold_constants():
    graph = graph_of(
        IN,
        ("G", "constant maps=2", ""),
        ("S", "constant maps=2 size=6", ""),
        ("A", NORM, "S"),
        ("B", "mul", "A G"),
        ("C", "add", "In B"),
        ("D", "mul", "C G"),
    )
    after = FoldConstants().run(graph)
    assert lines(after) == [
        "G = constant() maps=2 : f32[2]",
        "B = constant() maps=2 size=6x6 [S = constant() maps=2 size=6x6; "
        "A = batchnorm(S) epsilon=0.001; G = constant() maps=2; B = mul(A, G)] : f32[6,6,2]",
        "C = add(In, B) : f32[6,6,2]",
        "D = mul(C, G) : f32[6,6,2]",
        "output D",
    ]
    verify(after)
    weights, x = weights_of(graph, 0), images_of(graph, 2, 0)
    np.testing.assert_array_equal(evaluate(after, weights, x), evaluate(graph, weights, x))


def test_a_fold_may_not_grow_the_weights_beyond_its_cap():
    graph = graph_of(
        IN,
        ("S", "constant maps=2 size=3", ""),
        ("A", "resize mode=nearest factor=2", "S"),
        ("B", "add", "In A"),
    )
    grown = 6 * 6 * 2 - 3 * 3 * 2
    assert FoldConstants(grown - 1).run(graph) is graph
    assert [node.name for node in FoldConstants(grown).run(graph).nodes] == ["In", "A", "B"]


def test_a_constant_that_is_kept_for_others_counts_as_growth():
    graph = graph_of(
        IN, ("S", "constant maps=2 size=6", ""), ("A", RELU, "S"), ("B", "add", "In A S")
    )
    assert FoldConstants(6 * 6 * 2 - 1).run(graph) is graph
    assert FoldConstants(6 * 6 * 2).run(graph)["A"].inputs == ()
