"""A graph written with blocks: read again, it is the same graph, and its weights are found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from graph_strategies import Draft, followers, graphs, images_of, weights_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks

import cnndsl
from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.frontend.load import load_network
from cnndsl.frontend.write import write_folded_table
from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.concat import Concat
from cnndsl.ops.conv import Conv
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.input import Input
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.padding import Padding
from cnndsl.resources import shipped_specs
from cnndsl.source import Source


@st.composite
def repeating(draw: st.DrawFn) -> Graph:
    """One to three runs of rows, each of them several times with other numbers of maps."""
    draft = Draft(draw)
    last = draft.put(Input(2, (4, 5)))
    for _ in range(draw(st.integers(1, 3))):
        kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4))
        end = draw(st.sampled_from(["plain", "add", "concat"]))
        for _ in range(draw(st.integers(1, 5))):
            maps = draw(st.sampled_from([2, 2, 4, 6]))
            x = last
            for kind in kinds:
                last = KINDS[kind](draft, last, maps)
            if end == "concat":
                last = draft.put(Concat(), x, last)
            elif end == "add":
                shortcut = draft.put(Conv(draft.types[last].maps, (1, 1)), x)
                last = draft.put(Add(), last, shortcut)
        if draw(st.booleans()):
            last = followers(draft, last)
    others = draw(st.lists(st.sampled_from([*draft.types]), max_size=2))
    return Graph(tuple(draft.nodes), tuple(dict.fromkeys([*others, last])))


def conv(draft, x, maps):
    return draft.put(Conv(maps, (1, 1)), x)


def wide(draft, x, maps):
    y = draft.put(Conv(maps * 2, (3, 3), padding=Padding("same"), bias=False), x)
    return draft.put(BatchNorm(1e-3), y)


def depthwise(draft, x, maps):
    return draft.put(Depthwise((3, 3), padding=Padding("same")), x)


def pool(draft, x, maps):
    return draft.put(MaxPool((1, 1), (1, 1)), x)


KINDS = {"conv": conv, "wide": wide, "depthwise": depthwise, "pool": pool}


def shape_of(graph):
    """A graph without its names."""
    place = {n.name: i for i, n in enumerate(graph.nodes)}
    nodes = [(n.op, [place[i] for i in n.inputs]) for n in graph.nodes]
    return nodes, [place[name] for name in graph.outputs]


def read_again(graph):
    """The folded table, the network that it is, and the weights' new names by their old ones."""
    table = write_folded_table("Folded", graph)
    return table.text, load_network(Source("folded.cnn", table.text)), table.addresses


def assert_same(graph):
    text, network, addresses = read_again(graph)
    assert shape_of(network.ir) == shape_of(graph)
    weights = weights_of(graph, 0)
    renamed = {}
    for name, array in weights.items():
        node, _, param = name.rpartition(".")
        part = next((p for p in ("depthwise", "pointwise") if node.endswith(f".{p}")), "")
        node = node.removesuffix(f".{part}") if part else node
        renamed[".".join(filter(None, [addresses[node], part, param]))] = array
    assert {n: a.shape for n, a in renamed.items()} == {
        n: p.shape for n, p in network.param_table.items()
    }
    return text, network, weights, renamed


def rows_named(graph, names=None):
    """The graph with names that rows may have."""
    names = names or {n.name: n.name.replace(".", "_") for n in graph.nodes}
    nodes = [
        replace(
            n,
            name=names[n.name],
            row=names[n.name],
            part="",
            inputs=tuple(names[i] for i in n.inputs),
        )
        for n in graph.nodes
    ]
    return Graph(tuple(nodes), tuple(names[o] for o in graph.outputs))


@given(graph=graphs() | repeating())
def test_a_folded_table_is_the_same_graph(graph):
    assert_same(Graph(graph.nodes, tuple(dict.fromkeys(graph.outputs))))


@given(graph=repeating(), data=st.data())
def test_a_folded_table_computes_the_same(graph, data):
    _, network, weights, renamed = assert_same(graph)
    x = images_of(graph, 2, 0)
    outputs = evaluate(network.ir, renamed, x)
    for y, expected in zip(outputs, evaluate(graph, weights, x), strict=True):
        np.testing.assert_array_equal(y, expected)


@given(network=networks())
def test_a_table_folded_is_the_same_network(network):
    assert_same(rows_named(network.ir))


@pytest.mark.slow
@pytest.mark.parametrize("spec", shipped_specs())
def test_a_shipped_network_folds_into_the_same(spec):
    network = cnndsl.parse(spec)
    graph = rows_named(network.ir)
    text, again, _ = read_again(graph)
    assert shape_of(again.ir) == shape_of(graph)
    assert again.params == network.params
    assert write_folded_table("Folded", graph).text == text


def residual_rows(count, name="{i}", maps=lambda i: 8):
    """Rows of residual units, with what each row is called."""
    nodes = [Node("In", Input(8, (6, 6)), (), "In")]
    x = "In"
    for i in range(count):
        put = name.format(i=i)
        a, b, y = f"{put}conv1", f"{put}conv2", f"{put}add"
        same = Padding("same")
        nodes.append(Node(a, Conv(maps(i), (3, 3), padding=same), (x,), a))
        nodes.append(Node(b, Conv(8, (1, 1)), (a,), b))
        nodes.append(Node(y, Add(), (b, x), y))
        x = y
    return Graph(tuple(nodes), (x,))


def test_equal_runs_behind_each_other_are_one_row():
    text, network, _ = read_again(residual_rows(4, "u{i}_"))
    assert (
        text
        == """\
cnn 1
network Folded

block Residual
layer  type  maps  kernel  stride  padding  from
conv1  conv  8     3x3     1       same
conv2  conv  8     1x1     1       valid
add    add   8     -       -       -        conv2,in
end

layer  type      maps  size
In     input     8     6x6
u0     Residual  8     6x6   repeat=4
"""
    )
    assert "u0.4.conv1.weight" in network.param_table


def test_what_differs_is_a_parameter():
    text, _, _ = read_again(residual_rows(6, "u{i}_", lambda i: 2 + i))
    assert "block Residual(maps)\n" in text
    assert "conv1  conv  $maps" in text
    assert "u1     Residual  3     6x6" in text


def test_a_row_that_others_read_too_stays_outside():
    graph = residual_rows(4)
    tap = Node("tap", Add(), (graph.outputs[0], "1conv1"), "tap")
    text, network, _ = read_again(rows_named(Graph((*graph.nodes, tap), ("tap",)), _letters(graph)))
    assert shape_of(network.ir)[0][-1][0] == Add()
    assert "repeat=4" not in text


def _letters(graph):
    return {n.name: f"r{i}" for i, n in enumerate(graph.nodes)} | {"tap": "tap"}


def test_few_rows_stay_as_they_are():
    text, _, _ = read_again(residual_rows(2, "u{i}_"))
    assert "block" not in text


def test_the_imported_example_is_a_true_and_folded_table():
    path = Path(__file__).parent.parent / "examples" / "page_orientation.cnn"
    network = cnndsl.parse(path)
    assert network.params == 1_691_428
    graph = rows_named(network.ir)
    text, again, _ = read_again(graph)
    assert shape_of(again.ir) == shape_of(graph)
    assert len(text.splitlines()) < len(network)
