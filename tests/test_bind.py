"""What a node computes with is what users have named, and what passes have folded into it."""

from dataclasses import replace

import numpy as np
import pytest
from graphs import graph_of
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, random_weights

from cnndsl.ir.bind import bound_params, declared_params
from cnndsl.ir.node import Folded, Node
from cnndsl.ir.verify import InvalidGraph, verify
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.conv import Conv
from cnndsl.types import f32


def arrays(node, operands, seed=0):
    """Random arrays for all parameters of a node by their full names."""
    rng = np.random.default_rng(seed)
    return {
        name: random_weights((param,), rng)[param.name]
        for name, param in declared_params(node, operands).items()
    }


@pytest.mark.parametrize("row_type", ["conv", "depthwise", "dense", "convtranspose"])
@given(data=st.data(), scale=st.booleans(), bias=st.booleans(), twice=st.booleans())
def test_folded_parameters_do_what_the_normalizations_behind_do(row_type, data, scale, bias, twice):
    op, operands = data.draw(CASES[row_type])
    norms = (Folded("B1", BatchNorm(1e-3, scale, bias)), Folded("C1.norm", BatchNorm(0.1)))
    node = Node("C1", op, ("In",), "C1", folded=norms[: 1 + twice])
    weights = arrays(node, operands)
    x = np.random.default_rng(1).standard_normal((2, *operands[0].shape))
    plain = replace(node, folded=())
    y = op.evaluate(x, **bound_params(plain, operands, weights))
    for folded in node.folded:
        own = folded.op.params(op.infer(*operands))
        y = folded.op.evaluate(y, **{p.name: weights[f"{folded.prefix}.{p.name}"] for p in own})
    bound = bound_params(node, operands, weights)
    np.testing.assert_allclose(op.evaluate(x, **bound), y, rtol=1e-9, atol=1e-9)


def test_a_node_s_parameters_keep_the_names_that_users_gave():
    folded = (Folded("B1", BatchNorm(1e-3, scale=False)),)
    node = Node("P", Conv(4, (1, 1), bias=False), ("In",), "S1", part="pointwise", folded=folded)
    names = list(declared_params(node, (f32(2, 2, 3),)))
    assert names == ["S1.pointwise.weight", "B1.bias", "B1.mean", "B1.variance"]
    assert list(bound_params(node, (f32(2, 2, 3),), arrays(node, (f32(2, 2, 3),)))) == [
        "weight",
        "bias",
    ]


def test_what_is_not_folded_is_the_given_array_itself():
    node, x = Node("C1", Conv(4, (3, 3)), ("In",), "C1"), f32(5, 5, 3)
    weights = {name: a.astype(np.float32) for name, a in arrays(node, (x,)).items()}
    bound = bound_params(node, (x,), weights)
    assert bound["weight"] is weights["C1.weight"]
    folded = replace(node, folded=(Folded("B1", BatchNorm(1e-5)),))
    weights |= {n: a.astype(np.float32) for n, a in arrays(folded, (x,)).items()}
    assert {a.dtype for a in bound_params(folded, (x,), weights).values()} == {np.dtype(np.float32)}


def test_folding_rounds_once():
    """Float32 weights are folded in float64: a result is the nearest float32 to the exact one."""
    folded = (Folded("B1", BatchNorm(1e-5)),)
    node, x = Node("C1", Conv(8, (3, 3)), ("In",), "C1", folded=folded), (f32(5, 5, 3),)
    weights = {name: a.astype(np.float32) for name, a in arrays(node, x).items()}
    exact = bound_params(node, x, {name: a.astype(np.float64) for name, a in weights.items()})
    for name, array in bound_params(node, x, weights).items():
        np.testing.assert_array_equal(array, exact[name].astype(np.float32))


def test_a_graph_folds_only_into_what_can_take_it_up():
    graph = graph_of(("In", "input maps=1 size=2", ""), ("P", "maxpool kernel=1 stride=1", "In"))
    folded = replace(graph["P"], folded=(Folded("B", BatchNorm(1e-5)),))
    with pytest.raises(InvalidGraph, match="nothing can be folded into P"):
        verify(replace(graph, nodes=(graph.nodes[0], folded)))
