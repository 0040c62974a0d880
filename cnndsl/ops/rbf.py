"""LeNet-5's output: Euclidean radial basis functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.flatten import ORDER
from cnndsl.ops.kinds import Choice, Count
from cnndsl.types import TensorType, f32


@dataclass(frozen=True)
class Rbf(Op):
    """
    The distance from the input to each class's centre; the nearest class wins.

    LeCun et al. 1998, equation 7, prints the squared distance; the book's table says Euclidean
    distance. `distance` must say which. The paper's centres are fixed bitmaps of -1 and +1.
    """

    row_type = "rbf"
    summary = "distance to each class's centre; the smallest wins"
    reads = "vector"
    best = "min"

    maps: int = attribute(Count(), "classes", aliases=("units",))
    distance: str = attribute(
        Choice(("euclidean", "squared")), "the distance itself, or its square as in the paper"
    )
    centres: str = attribute(
        Choice(("trained", "fixed")), "whether training moves the centres", "trained", ("centers",)
    )
    flatten: str = attribute(ORDER, "order in which an image before it is flattened", "hwc")

    def infer(self, x: TensorType) -> TensorType:
        self.require_vector(x)
        return f32(self.maps)

    def params(self, x: TensorType) -> tuple[Param, ...]:
        trainable = self.centres == "trained"
        return (Param("weight", (self.maps, x.size), "signs", trainable=trainable),)

    def macs(self, x: TensorType) -> int:
        return self.maps * x.size

    def evaluate(self, x: Array, *, weight: Array) -> Array:
        squared = np.sum((x[:, None, :] - weight[None]) ** 2, axis=-1)
        return np.sqrt(squared) if self.distance == "euclidean" else squared

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        kind = "the distance itself" if self.distance == "euclidean" else "the squared distance"
        return (f"distance {self.distance}: {kind}; the smallest is the best class",)

    def formula(self, x: TensorType) -> str:
        total = f"sum((x[k] - weight[o, k])^2 for k < {x.size})"
        return f"y[o] = {f'sqrt({total})' if self.distance == 'euclidean' else total}"
