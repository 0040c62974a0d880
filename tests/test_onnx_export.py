"""A network as an ONNX model: ONNX's checker takes it, and ONNX Runtime computes the same."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from op_cases import CASES, random_weights
from strategies import networks

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from graph_strategies import graphs, images_of, in_layout_of, weights_of
from onnx_calls import relative_error, run_onnx

import cnndsl
from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.errors import CnnError
from cnndsl.frontend.load import load_network
from cnndsl.interop.onnx.exporting import export_onnx
from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.graph import Graph
from cnndsl.ir.network import Network
from cnndsl.ir.node import Node
from cnndsl.ops.input import Input
from cnndsl.ops.registry import OPERATORS
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.slice import Part, Slice
from cnndsl.resources import shipped_specs
from cnndsl.source import Source

pytestmark = pytest.mark.peers

CLOSE = 2e-5
"""Of the largest output: float32 against float64, through a few layers."""


def outputs(network, weights):
    """Each output in ONNX Runtime, with what it should be."""
    model = export_onnx(network, weights)
    read = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= read, "runtimes warn of these"
    graph = network.ir
    x = [images.astype(np.float32) for images in images_of(graph, 2, 1)]
    found = run_onnx(model, *(in_layout_of(graph, i, images) for i, images in enumerate(x)))
    for y, expected in zip(found, evaluate(graph, weights, x), strict=True):
        turned = graph.layout == "nchw" and y.ndim == 4
        yield y.transpose(0, 2, 3, 1) if turned else y, expected


def assert_runs_equally(network, weights, close=CLOSE):
    for y, expected in outputs(network, weights):
        assume(np.abs(expected).max() < 1e20)
        assert relative_error(y, expected) < close


@given(network=networks())
def test_a_random_network_gives_the_same_in_onnx_runtime(network):
    assert_runs_equally(network, seeded_weights(network.param_table, 3))


@given(graph=graphs())
def test_a_random_graph_gives_the_same_in_onnx_runtime(graph):
    graph = replace(graph, outputs=tuple(dict.fromkeys(graph.outputs)))
    network = Network("Drawn", (), graph, graph.outputs, Source("drawn", ""))
    weights = {name: w.astype(np.float32) for name, w in weights_of(graph, 5).items()}
    assert_runs_equally(network, weights, 1e-4)


def of_one_operator(op, operands):
    """A network of one operator whose operands are parts of the image."""
    total = sum(operand.size for operand in operands)
    nodes = [Node("In", Input(max(total, 1), (1, 1)), (), "In")]
    begin = 0
    for i, operand in enumerate(operands):
        end = begin + operand.size
        nodes.append(Node(f"part{i}", Slice(Part(begin, end)), ("In",), f"part{i}"))
        nodes.append(Node(f"x{i}", Reshape(operand.shape), (f"part{i}",), f"x{i}"))
        begin = end
    inputs = tuple(f"x{i}" for i in range(len(operands)))
    nodes.append(Node("y", op, inputs, "y"))
    return Network("One", (), Graph(tuple(nodes), ("y",)), ("y",), Source("one", ""))


@pytest.mark.parametrize("row_type", sorted(set(OPERATORS) - {"input"}))
@settings(max_examples=15)
@given(data=st.data())
def test_an_operator_gives_the_same_in_onnx_runtime(row_type, data):
    op, operands = data.draw(CASES[row_type])
    network = of_one_operator(op, operands)
    params = op.params(*operands)
    drawn = random_weights(params, np.random.default_rng(2))
    weights = {f"y.{name}": array.astype(np.float32) for name, array in drawn.items()}
    assert_runs_equally(network, weights, 2e-4)


def test_what_does_not_fit_into_a_file_is_refused():
    network = load_network(Source("doc.cnn", TABLE))
    weights = seeded_weights(network.param_table, 0)
    weights["Out.weight"] = np.broadcast_to(np.float32(0), (1 << 29, 2))
    with pytest.raises(CnnError, match="holds 2 GiB"):
        export_onnx(network, weights)


TABLE = """\
cnn 1
network Doc
layer  type     maps  size   kernel  stride  padding  activation
In     input    1     28x28
C1     conv     4     24x24  5x5     1       valid    relu
Out    dense    10    -      -       -       -        softmax
"""


@pytest.fixture
def exported():
    network = load_network(Source("doc.cnn", TABLE))
    return export_onnx(network, seeded_weights(network.param_table, 0))


def test_the_model_takes_any_batch_in_the_input_rows_layout(exported):
    (value,) = exported.graph.input
    sides = [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
    assert sides == ["batch", 28, 28, 1]
    assert run_onnx(exported, np.zeros((5, 28, 28, 1), np.float32))[0].shape == (5, 10)


def test_a_node_says_its_row_and_line(exported):
    nodes = {node.name: node for node in exported.graph.node}
    assert nodes["C1"].doc_string.startswith("row C1, line 5: C1     conv")
    assert nodes["C1.relu"].doc_string.startswith("row C1, line 5")


def test_every_value_has_its_shape(exported):
    graph = exported.graph
    typed = {v.name for v in [*graph.value_info, *graph.input, *graph.output]}
    assert {name for node in graph.node for name in node.output} <= typed


def test_weights_keep_their_names(exported):
    names = {tensor.name for tensor in exported.graph.initializer}
    assert {"C1.weight", "C1.bias", "Out.weight", "Out.bias"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("spec", shipped_specs())
def test_a_shipped_network_is_a_valid_model(spec):
    """Its nodes, not its weights: those are cheap zeros of the right shape."""
    network = cnndsl.parse(spec)
    zeros = {
        name: np.broadcast_to(np.float32(0), param.shape)
        for name, param in network.param_table.items()
    }
    assert export_onnx(network, zeros).graph.node


STEREO = """\
cnn 1
network Stereo
outputs mean, sum, mean_of_left, left
layer         type           maps  size  from
left          input          2     4x4
right         input          2     4x4         layout=nchw
mean_of_left  globalavgpool  2     1x1   left
sum           add            2     4x4   left,right
mean          dense          3     -
"""


def test_inputs_and_outputs_are_called_like_their_rows():
    network = load_network(Source("stereo.cnn", STEREO))
    weights = seeded_weights(network.param_table, 0)
    graph = export_onnx(network, weights).graph
    assert [value.name for value in graph.input] == ["left", "right"]
    names = ["mean", "sum/output", "mean_of_left/output", "left/output"]
    assert [value.name for value in graph.output] == names
    assert all(relative_error(*pair) < CLOSE for pair in outputs(network, weights))
