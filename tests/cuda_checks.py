"""What holds on every CUDA device, simulated or real."""

import numpy as np
from cuda_steps import computed, step_of
from graph_strategies import images_of, in_layout_of, weights_of
from op_cases import random_weights
from test_cpu_operators import FEW, allowed_error, within
from tolerances import EPSILON

from cnndsl.backends.cuda.backend import CudaBackend
from cnndsl.backends.protocol import Request
from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.ops.activation import Activation
from cnndsl.passes.pipeline import optimised
from cnndsl.plan.build import make_plan
from cnndsl.plan.text import plan_from_json, plan_to_json

BATCH = 2


def check_operator(driver, op, types, function, seed):
    """A kernel computes what the operator says, of random operands, with a function behind it."""
    rng = np.random.default_rng(seed)
    operands = [
        rng.standard_normal((BATCH, *t.shape)).astype(np.float32).astype(float) for t in types
    ]
    params = {
        name: array.astype(np.float32).astype(float)
        for name, array in random_weights(op.params(*types), rng).items()
    }
    shape = (BATCH, *op.infer(*types).shape)
    expected = np.broadcast_to(op.evaluate(*operands, **params), shape)
    allowed = allowed_error(op, operands, params, expected)
    epilogue = ()
    if not (op.moves or op.row_type in ("activation", "dropout") or function == "linear"):
        epilogue = (Activation(function),)
        expected = epilogue[0].evaluate(expected)
        allowed = allowed + (FEW * EPSILON * np.abs(expected) if function == "tanh" else 0.0)
    y = computed(driver, step_of(op, operands, epilogue), operands, params)
    within(op, y, expected, np.broadcast_to(allowed, expected.shape))


def check_graph(graph, batch, seed):
    """A graph runs on the device of this process as the reference evaluates it."""
    weights = {name: a.astype(np.float32) for name, a in weights_of(graph, seed).items()}
    images = [x.astype(np.float32) for x in images_of(graph, batch, seed)]
    backend = CudaBackend()
    plan = make_plan(optimised(graph, backend.passes()), backend.choose)
    run = backend.load(Request(plan_from_json(plan_to_json(plan)), weights, 1))
    outputs = run(tuple(in_layout_of(graph, i, x) for i, x in enumerate(images)))
    for y, expected in zip(outputs, evaluate(graph, weights, images), strict=True):
        if y.ndim == 4 and graph.layout == "nchw":
            y = y.transpose(0, 2, 3, 1)
        assert y.shape == expected.shape
        # Normalizations and products amplify errors of earlier nodes.
        largest = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-3 * largest)
