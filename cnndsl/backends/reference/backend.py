"""The reference as a target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.backends.protocol import Images, Weights
from cnndsl.backends.reference.evaluate import evaluate
from cnndsl.ir.network import Network
from cnndsl.ops.base import Array


@dataclass(frozen=True)
class _Evaluation:
    network: Network
    weights: Weights

    def __call__(self, inputs: tuple[Images, ...]) -> tuple[Array, ...]:
        graph = self.network.ir
        rows = self.network.signature.inputs.values()
        images = [
            x.transpose(0, 2, 3, 1) if row.layout == "nchw" else x
            for row, x in zip(rows, inputs, strict=True)
        ]
        outputs = evaluate(graph, self.weights, images)
        nchw = graph.layout == "nchw"
        return tuple(
            np.ascontiguousarray(y.transpose(0, 3, 1, 2)) if nchw and y.ndim == 4 else y
            for y in outputs
        )


@dataclass(frozen=True)
class ReferenceBackend:
    """Float64 NumPy, node by node, by the operators' definitions: slow and obviously right."""

    name: str = "reference"

    def interpret(self, network: Network, weights: Weights) -> _Evaluation:
        """Make a network executable."""
        return _Evaluation(network, weights)
