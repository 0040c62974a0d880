"""
The CPU backend computes what the reference defines, row by row, on random valid networks.

Every node is held against the float64 operator applied to the CPU's own values of its operands, so
that each is held as tightly as its arithmetic allows and no error of an earlier row excuses one.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import networks
from tolerances import local_bound

from cnndsl.backends.cpu import executable as executables
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.protocol import Request
from cnndsl.backends.reference.backend import ReferenceBackend
from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.graph import Graph
from cnndsl.ir.network import Network
from cnndsl.ops.input import Input
from cnndsl.passes.pipeline import optimised
from cnndsl.plan.build import make_plan

pytestmark = pytest.mark.cache


def drawn_weights(network: Network, seed: int) -> dict[str, np.ndarray]:
    """Weights whose biases and centres are no round numbers either."""
    rng = np.random.default_rng(seed)
    weights = seeded_weights(network.param_table, seed)
    return {
        name: array
        if name.endswith(".weight")
        else array + rng.standard_normal(array.shape, np.float32)
        for name, array in weights.items()
    }


def drawn_images(network: Network, batch: int, seed: int) -> np.ndarray:
    """Images in the input row's layout."""
    height, width, maps = network.types[network.ir.inputs[0].name].shape
    shape = (maps, height, width) if network.input.layout == "nchw" else (height, width, maps)
    return np.random.default_rng(seed + 1).standard_normal((batch, *shape), np.float32)


def run(graph: Graph, weights, x, threads: int = 1) -> np.ndarray:
    """The CPU's value of the graph's output."""
    backend = CpuBackend()
    (y,) = backend.load(Request(make_plan(graph, backend.choose), weights, threads))((x,))
    return y


@given(network=networks(), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_each_node_is_its_operator_applied_to_its_operands(network, batch, seed):
    graph, weights = optimised(network.ir), drawn_weights(network, seed)
    x = drawn_images(network, batch, seed)
    nchw = network.input.layout == "nchw"
    values: dict[str, np.ndarray] = {}
    for i, node in enumerate(graph.nodes):
        if isinstance(node.op, Input):
            values[node.name] = x.transpose(0, 2, 3, 1) if nchw else x
            continue
        y = run(Graph(graph.nodes[: i + 1], (node.name,)), weights, x)
        values[node.name] = y = y.transpose(0, 2, 3, 1) if nchw and y.ndim == 4 else y
        operands = [values[name].astype(np.float64) for name in node.inputs]
        prefix = f"{node.row}."
        params = {
            name.removeprefix(prefix): array.astype(np.float64)
            for name, array in weights.items()
            if name.startswith(prefix) and node.op.params(network.types[node.inputs[0]])
        }
        expected, allowed = local_bound(node, operands, params)
        assert y.shape == expected.shape
        assert y.dtype == np.float32
        excess = np.abs(y - expected) - allowed
        assert np.all(excess <= 0), (node, float(np.max(excess)), float(np.max(allowed)))


@given(network=networks(), seed=st.integers(0, 99))
def test_the_whole_network_agrees_with_the_reference(network, seed):
    weights, x = drawn_weights(network, seed), drawn_images(network, 2, seed)
    y = run(optimised(network.ir), weights, x)
    (expected,) = ReferenceBackend().interpret(network, weights)((x,))
    assert y.shape == expected.shape
    # Rows amplify errors of earlier rows by their weights; what is left over after nine of them.
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-4 * max(1.0, np.abs(expected).max()))


@given(network=networks(), batch=st.integers(2, 5), seed=st.integers(0, 99))
def test_an_image_s_bits_depend_neither_on_its_batch_nor_on_the_threads(network, batch, seed):
    graph, weights = optimised(network.ir), drawn_weights(network, seed)
    x = drawn_images(network, batch, seed)
    together = run(graph, weights, x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executables, "LEAST_SHARED_FLOATS", 0)
        for threads in (2, 3):
            np.testing.assert_array_equal(run(graph, weights, x, threads), together)
    for i in range(batch):
        np.testing.assert_array_equal(run(graph, weights, x[i : i + 1])[0], together[i])
