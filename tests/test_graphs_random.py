"""What must hold of any graph: optimised or not, alone or in a batch, it computes the same."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from graph_strategies import graphs, images_of, weights_of
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.ir.cost import graph_params
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ir.text import format_graph
from cnndsl.ir.verify import verify
from cnndsl.ops.base import Param
from cnndsl.passes.base import Pass
from cnndsl.passes.drop_dead import DropDead
from cnndsl.passes.drop_identity import DropIdentity
from cnndsl.passes.fold_affine import FoldAffine
from cnndsl.passes.fold_constants import FoldConstants
from cnndsl.passes.fold_pad import FoldPad
from cnndsl.passes.fuse_activation import FuseActivation
from cnndsl.passes.fuse_residual import FuseResidual
from cnndsl.passes.join_concats import JoinConcats
from cnndsl.passes.merge_common import MergeCommon
from cnndsl.passes.pipeline import PASSES, optimised
from cnndsl.passes.split_separable import SplitSeparable

EXACT = [
    DropDead(),
    DropIdentity(),
    SplitSeparable(),
    FoldPad(),
    JoinConcats(),
    MergeCommon(),
    FuseResidual(),
    FuseActivation(),
]
ALL = (*PASSES[:-1], FuseResidual(), PASSES[-1])
"""The pipeline, with residual sums fused before activations are."""
CLOSE = {"rtol": 1e-9, "atol": 1e-9}

seeds, batches = st.integers(0, 99), st.integers(1, 3)


def named_params(graph: Graph) -> dict[str, Param]:
    """Parameters by full name; their short names may change with the node that has them."""
    params = graph_params(graph, infer_types(graph))
    return {name: replace(param, name="") for name, param in params.items()}


def both(after: Graph, before: Graph, weights, x):
    """Each output of one graph with the other's."""
    return zip(evaluate(after, weights, x), evaluate(before, weights, x), strict=True)


def name_of(rewrite: Pass) -> str:
    return rewrite.name


@pytest.mark.parametrize("rewrite", EXACT, ids=name_of)
@given(graph=graphs(), batch=batches, seed=seeds)
def test_an_exact_pass_keeps_every_bit(rewrite, graph, batch, seed):
    after = rewrite.run(graph)
    verify(after)
    weights, x = weights_of(graph, seed), images_of(graph, batch, seed)
    for y, expected in both(after, graph, weights, x):
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("rewrite", [FoldConstants(), FoldAffine()], ids=name_of)
@given(graph=graphs(), batch=batches, seed=seeds)
def test_folding_keeps_the_output(rewrite, graph, batch, seed):
    after = rewrite.run(graph)
    verify(after)
    weights, x = weights_of(graph, seed), images_of(graph, batch, seed)
    for y, expected in both(after, graph, weights, x):
        np.testing.assert_allclose(y, expected, **CLOSE)


@given(graph=graphs(), batch=batches, seed=seeds)
def test_all_passes_together_keep_the_output(graph, batch, seed):
    after = optimised(graph, ALL)
    verify(after)
    weights, x = weights_of(graph, seed), images_of(graph, batch, seed)
    for y, expected in both(after, graph, weights, x):
        np.testing.assert_allclose(y, expected, **CLOSE)


@pytest.mark.parametrize("rewrite", ALL, ids=name_of)
@given(graph=graphs())
def test_a_pass_renames_no_parameter_and_loses_only_those_of_dead_rows(rewrite, graph):
    before, after = named_params(graph), rewrite.run(graph)
    kept = named_params(after)
    assert kept.items() <= before.items()
    dead = {node.name for node in graph.dead()} if isinstance(rewrite, DropDead) else set()
    assert {name.partition(".")[0] for name in before.keys() - kept.keys()} <= dead


@pytest.mark.parametrize("rewrite", ALL, ids=name_of)
@given(graph=graphs())
def test_a_pass_has_nothing_left_to_do_behind_itself(rewrite, graph):
    after = rewrite.run(graph)
    assert rewrite.run(after) == after


@given(graph=graphs(), seed=seeds)
def test_an_image_s_result_does_not_depend_on_its_batch(graph, seed):
    weights, x = weights_of(graph, seed), images_of(graph, 3, seed)
    apart = [evaluate(graph, weights, [images[i : i + 1] for images in x]) for i in range(3)]
    for y, *alone in zip(evaluate(graph, weights, x), *apart, strict=True):
        np.testing.assert_allclose(y, np.concatenate(alone), **CLOSE)


@given(graph=graphs())
def test_a_graph_s_text_names_every_node_once_and_is_the_same_for_the_same_graph(graph):
    text = format_graph(graph)
    assert text == format_graph(Graph(tuple(graph.nodes), graph.outputs))
    lines = [line.partition(" = ")[0] for line in text.splitlines()]
    assert lines == [*(node.name for node in graph.nodes), f"output {', '.join(graph.outputs)}"]
    assert format_graph(optimised(graph, ALL)) == format_graph(optimised(graph, ALL))


def test_the_random_graphs_give_every_pass_something_to_do():
    found = Counter[str]()

    @settings(max_examples=200)
    @given(graph=graphs())
    def count(graph):
        for rewrite in ALL:
            after = rewrite.run(graph)
            found[rewrite.name] += after != graph
            graph = after

    count()
    assert min(found[rewrite.name] for rewrite in ALL) >= 5, found
