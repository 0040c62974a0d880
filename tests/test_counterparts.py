"""Nodes of another graph are recognised by what they compute, not by what they are called."""

from dataclasses import replace

import numpy as np
import pytest
from graph_strategies import graphs, weights_of
from hypothesis import given
from hypothesis import strategies as st

import cnndsl
from cnndsl.backends.reference.evaluate import evaluate_all
from cnndsl.ir.counterparts import counterparts
from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.input import Input
from cnndsl.passes.drop_identity import DropIdentity


def shuffled(graph, seed):
    """
    The same graph in another order that is possible as well, and its nodes' new names.

    Inputs stay in their order: that is what tells them apart.
    """
    rng = np.random.default_rng(seed)
    ordered = list(graph.inputs)
    left = [node for node in graph.nodes if node not in graph.inputs]
    while left:
        known = {node.name for node in ordered}
        ready = [node for node in left if known.issuperset(node.inputs)]
        ordered.append(ready[rng.integers(len(ready))])
        left.remove(ordered[-1])
    names = {node.name: f"other{i}" for i, node in enumerate(ordered)}
    nodes = [
        replace(node, name=names[node.name], inputs=tuple(names[i] for i in node.inputs))
        for node in ordered
    ]
    return Graph(tuple(nodes), tuple(names[name] for name in graph.outputs)), names


def values_of(graph):
    rng = np.random.default_rng(1)
    xs = [rng.standard_normal((2, *node.op.infer().shape)) for node in graph.inputs]
    return evaluate_all(graph, weights_of(graph, 0), xs)


@given(graph=graphs(), seed=st.integers(0, 2**32 - 1))
def test_a_reordered_graph_is_recognised_node_by_node(graph, seed):
    other, names = shuffled(graph, seed)
    values = values_of(graph)
    theirs = {names[name]: value for name, value in values.items()}

    def distance(mine, their):
        return float(np.abs(values[mine].ravel() - theirs[their].ravel()).max())

    pairs = counterparts(graph, other, distance)
    assert set(pairs) == {node.name for node in graph.nodes}
    assert len(set(pairs.values())) == len(pairs)
    assert all(distance(*pair) == 0 for pair in pairs.items())


def shapes_only(mine, their):
    return 0.0


def test_nodes_are_recognised_where_what_they_read_is_computed_several_times():
    nodes = [Node("x", Input(1, (2, 2)), (), "x")]
    nodes += [Node(name, Activation("relu"), ("x",), name) for name in "abcd"]
    sums = {"s": ("a", "b"), "t": ("c", "d"), "u": ("s", "t")}
    nodes += [Node(name, Add(), read, name) for name, read in sums.items()]
    graph = Graph(tuple(nodes), ("u",))
    for seed in range(20):
        other, _ = shuffled(graph, seed)
        assert len(counterparts(graph, other, shapes_only)) == len(nodes)


@pytest.mark.parametrize("spec", ["resnet50", "densenet121", "shufflenet", "unet"])
def test_real_networks_are_recognised_by_structure_where_nothing_else_tells(spec):
    graph = cnndsl.parse(spec).ir
    other, _ = shuffled(graph, 0)
    assert len(counterparts(graph, other, shapes_only)) == len(graph.nodes)


def test_what_one_graph_has_more_is_left_out_and_the_rest_is_recognised():
    graph = cnndsl.parse("alexnet").ir
    less = DropIdentity().run(graph)
    pairs = counterparts(graph, less, shapes_only)
    missing = {node.name for node in graph.nodes} - set(pairs)
    assert missing == {node.name for node in graph.nodes if isinstance(node.op, Dropout)}
