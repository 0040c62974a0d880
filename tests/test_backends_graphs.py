"""The CPU backend computes any graph as the reference does, whatever the passes made of it."""

import numpy as np
import pytest
from graph_strategies import graphs, images_of, in_layout_of, weights_of
from graphs import graph_of
from hypothesis import given
from hypothesis import strategies as st

from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.protocol import Request
from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.ir.graph import Graph
from cnndsl.passes.fuse_residual import FuseResidual
from cnndsl.passes.pipeline import PASSES, optimised
from cnndsl.plan.build import make_plan
from cnndsl.plan.text import plan_from_json, plan_to_json


@given(graph=graphs(), batch=st.integers(1, 3), seed=st.integers(0, 99), residual=st.booleans())
def test_any_graph_runs_as_the_reference_evaluates_it(graph, batch, seed, residual):
    weights = {name: a.astype(np.float32) for name, a in weights_of(graph, seed).items()}
    x = [images.astype(np.float32) for images in images_of(graph, batch, seed)]
    passes = (*PASSES[:-1], FuseResidual(), PASSES[-1]) if residual else PASSES
    backend = CpuBackend()
    plan = make_plan(optimised(graph, passes), backend.choose)
    run = backend.load(Request(plan_from_json(plan_to_json(plan)), weights, 1))
    outputs = run(tuple(in_layout_of(graph, i, images) for i, images in enumerate(x)))
    for y, expected in zip(outputs, evaluate(graph, weights, x), strict=True):
        if y.ndim == 4 and graph.layout == "nchw":
            y = y.transpose(0, 2, 3, 1)
        assert y.shape == expected.shape
        # Normalizations and products amplify errors of earlier nodes.
        allowed = 1e-3 * max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(y, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("outputs", [("T", "R"), ("R", "T"), ("T", "R", "U")])
def test_transposed_convolutions_write_whichever_outputs_they_are(outputs):
    rows = graph_of(
        ("In", "input maps=2 size=3x4", ""),
        ("T", "convtranspose maps=3 kernel=3 stride=2", "In"),
        ("R", "activation activation=relu", "In"),
        ("U", "convtranspose maps=2 kernel=1", "In"),
    )
    graph = Graph(rows.nodes, outputs)
    weights = {name: a.astype(np.float32) for name, a in weights_of(graph, 0).items()}
    x = [images.astype(np.float32) for images in images_of(graph, 2, 0)]
    backend = CpuBackend()
    run = backend.load(Request(make_plan(graph, backend.choose), weights, 1))
    for y, expected in zip(run(tuple(x)), evaluate(graph, weights, x), strict=True):
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-5)
