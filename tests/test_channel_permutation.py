"""
Maps have no order of their own.

Where the maps that a row makes are set in another order, and the weights of what reads them too,
nothing that comes out changes.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from graph_strategies import graphs, images_of, in_layout_of, weights_of
from hypothesis import given
from hypothesis import strategies as st

import cnndsl
from cnndsl.backends.cpu.backend import CpuBackend
from cnndsl.backends.protocol import Request
from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.global_pool import GlobalPool
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.pad import Pad
from cnndsl.ops.resize import Resize
from cnndsl.passes.pipeline import optimised
from cnndsl.plan.build import make_plan

# Each map by itself, or all alike. What has parameters of its maps has them in their order.
PASSES_ON = (
    Activation, AvgPool, BatchNorm, Dropout, Flatten, GlobalPool, LpPool, MaxPool, Pad, Resize,
)  # fmt: skip


@dataclass
class Reordering:
    """A graph's weights with maps in another order wherever what reads them can be told."""

    graph: Graph
    weights: dict[str, np.ndarray]
    rng: np.random.Generator
    reordered: list[str] = field(default_factory=list)

    def run(self) -> dict[str, np.ndarray]:
        self.types, self.readers = infer_types(self.graph), self.graph.readers()
        orders: dict[str, np.ndarray] = {}
        for node in self.graph.nodes:
            taken = orders.get(node.inputs[0]) if node.inputs else None
            orders[node.name] = self.order(node, taken)
        return self.weights

    def order(self, node: Node, taken: np.ndarray | None) -> np.ndarray | None:
        """In which order a node's maps come now, given that of what it reads."""
        if isinstance(node.op, PASSES_ON):
            if taken is not None and isinstance(node.op, Flatten):
                return self.flattened(node, taken)
            if taken is not None and isinstance(node.op, BatchNorm):
                for name in ("weight", "bias", "mean", "variance"):
                    self.take(node, name, taken, 0)
            return taken
        if not self.mixes(node):
            return None
        inner, outer = (0, 1) if isinstance(node.op, ConvTranspose) else (1, 0)
        if taken is not None:
            self.take(node, "weight", taken, inner)
        if not self.is_free(node):
            return None
        order = self.rng.permutation(node.op.maps)
        self.take(node, "weight", order, outer)
        self.take(node, "bias", order, 0)
        self.reordered.append(node.name)
        return order

    def take(self, node: Node, name: str, order: np.ndarray, axis: int) -> None:
        full = f"{node.prefix}.{name}"
        if full in self.weights:
            self.weights[full] = np.take(self.weights[full], order, axis)

    def flattened(self, node: Node, order: np.ndarray) -> np.ndarray:
        shape = self.types[node.inputs[0]].shape
        if len(shape) == 1:
            return order
        cells = shape[0] * shape[1]
        if node.op.order == "hwc":
            return (np.arange(cells)[:, None] * shape[2] + order).ravel()
        return (order[:, None] * cells + np.arange(cells)).ravel()

    def mixes(self, node: Node) -> bool:
        """Whether each map it makes reads all maps of what it reads."""
        op = node.op
        if isinstance(op, Conv | ConvTranspose):
            return op.groups == 1 and not getattr(op, "connect", ())
        return isinstance(op, Dense)

    def is_free(self, node: Node) -> bool:
        """Whether nobody but filters sees the order of a node's maps."""
        if node.name in self.graph.outputs:
            return False
        return all(
            self.mixes(reader) or (isinstance(reader.op, PASSES_ON) and self.is_free(reader))
            for reader in self.readers[node.name]
        )


@given(graph=graphs(), seed=st.integers(0, 99))
def test_the_order_of_maps_does_not_matter(graph, seed):
    weights, x = weights_of(graph, seed), images_of(graph, 2, seed)
    reordered = Reordering(graph, dict(weights), np.random.default_rng(seed)).run()
    expected = evaluate(graph, weights, x)
    for y, want in zip(evaluate(graph, reordered, x), expected, strict=True):
        largest = max(1.0, np.abs(want).max())
        np.testing.assert_allclose(y, want, rtol=0, atol=1e-9 * largest)
    backend = CpuBackend()
    plan = make_plan(optimised(graph), backend.choose)
    single = {name: array.astype(np.float32) for name, array in reordered.items()}
    run = backend.load(Request(plan, single, 1))
    images = [in_layout_of(graph, i, a.astype(np.float32)) for i, a in enumerate(x)]
    for y, want in zip(run(tuple(images)), expected, strict=True):
        found = y.transpose(0, 2, 3, 1) if y.ndim == 4 and graph.layout == "nchw" else y
        # As for whole graphs: normalizations and products amplify errors of earlier nodes.
        allowed = 1e-3 * max(1.0, np.abs(want).max())
        np.testing.assert_allclose(found, want, rtol=0, atol=allowed)


@pytest.mark.parametrize(
    ("spec", "rows"),
    [("lenet5", 3), ("alexnet", 3), ("vgg11", 10), ("yolo_v1_tiny", 8), ("resnet18", 8)],
)
def test_real_networks_have_rows_whose_maps_can_be_reordered(spec, rows):
    """So the property above is about something."""
    network = cnndsl.parse(spec)
    weights = seeded_weights(network.param_table, 0)
    reordering = Reordering(network.ir, weights, np.random.default_rng(0))
    reordering.run()
    assert len(reordering.reordered) >= rows
