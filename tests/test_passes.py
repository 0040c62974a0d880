"""The pipeline keeps the meaning to the bit, and fuses what it says."""

import numpy as np
import pytest
from graphs import graph_of

from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.cost import graph_params
from cnndsl.ir.infer import infer_types
from cnndsl.ir.text import format_graph
from cnndsl.ir.verify import InvalidGraph, verify
from cnndsl.passes.drop_identity import DropIdentity
from cnndsl.passes.fuse_activation import FuseActivation
from cnndsl.passes.pipeline import optimised

RELU, TANH = "activation activation=relu", "activation activation=tanh"
NET = graph_of(
    ("In", "input maps=2 size=6", ""),
    ("C1", "conv maps=3 kernel=3", "In"),
    ("C1.relu", RELU, "C1"),
    ("C1.dropout", "dropout rate=0.5", "C1.relu"),
    ("P", "avgpool kernel=2 stride=2", "C1.dropout"),
    ("P.tanh", TANH, "P"),
    ("L", "activation activation=linear", "P.tanh"),
    ("F", "flatten", "L"),
    ("D", "dense maps=4", "F"),
    ("D.relu", RELU, "D"),
    ("D.softmax", "activation activation=softmax", "D.relu"),
)


@pytest.mark.parametrize("rewrite", [DropIdentity().run, FuseActivation().run, optimised])
def test_a_pass_keeps_every_bit_and_every_parameter(rewrite):
    after = rewrite(NET)
    verify(after)
    types = infer_types(NET)
    params = graph_params(NET, types)
    assert graph_params(after, infer_types(after)) == params
    weights = seeded_weights(params, 0)
    x = np.random.default_rng(1).standard_normal((3, 6, 6, 2))
    np.testing.assert_array_equal(evaluate(after, weights, [x]), evaluate(NET, weights, [x]))
    assert rewrite(after) == after


def test_the_pipeline_leaves_no_identity_and_no_fusible_activation():
    assert format_graph(optimised(NET)) == (
        "In = input() maps=2 size=6x6 : f32[6,6,2]\n"
        "C1 = conv(In) maps=3 kernel=3x3 |> activation activation=relu : f32[4,4,3]\n"
        "P = avgpool(C1) kernel=2x2 stride=2 |> activation activation=tanh : f32[2,2,3]\n"
        "F = flatten(P) : f32[12]\n"
        "D = dense(F) maps=4 |> activation activation=relu : f32[4]\n"
        "D.softmax = activation(D) activation=softmax : f32[4]\n"
        "output D.softmax"
    )


def test_an_activation_is_not_fused_into_a_value_that_others_read():
    shared = graph_of(
        ("In", "input maps=2 size=6", ""),
        ("C1", "conv maps=3 kernel=3", "In"),
        ("A", RELU, "C1"),
        ("B", TANH, "C1"),
    )
    assert FuseActivation().run(shared) == shared


def test_a_second_activation_stays_a_node():
    chain = graph_of(
        ("In", "input maps=2 size=6", ""),
        ("C1", "conv maps=3 kernel=3", "In"),
        ("A", RELU, "C1"),
        ("B", TANH, "A"),
    )
    after = FuseActivation().run(chain)
    assert [node.name for node in after.nodes] == ["In", "C1", "B"]
    assert after.outputs == ("B",)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("In", "input maps=1 size=2", ""), ("A", RELU, "B"), ("B", RELU, "A")], "not defined"),
        ([("In", "input maps=1 size=2", ""), ("In", RELU, "In")], "defined twice"),
        ([], "outputs are missing"),
    ],
)
def test_verification_refuses_a_broken_graph(rows, reason):
    graph = graph_of(*rows) if rows else type(NET)((), ())
    with pytest.raises(InvalidGraph, match=reason):
        verify(graph)
