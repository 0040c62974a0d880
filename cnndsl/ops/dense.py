"""Fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Param
from cnndsl.ops.flatten import ORDER
from cnndsl.ops.kinds import Count, Flag
from cnndsl.ops.rescalable import Rescalable
from cnndsl.types import TensorType, f32


@dataclass(frozen=True)
class Dense(Rescalable):
    """`y[o] = bias[o] + sum over k of x[k] * weight[o, k]`. An image before it is flattened."""

    row_type = "dense"
    summary = "fully connected layer"
    reads = "vector"

    maps: int = attribute(Count(), "units, each with one output", aliases=("units",))
    bias: bool = attribute(Flag(), "whether a bias is added to each unit", True)
    flatten: str = attribute(
        ORDER, "order in which an image before it is flattened; chw is PyTorch's", "hwc"
    )

    def infer(self, x: TensorType) -> TensorType:
        self.require_vector(x)
        return f32(self.maps)

    def params(self, x: TensorType) -> tuple[Param, ...]:
        weight = Param("weight", (self.maps, x.size), "he", fan_in=x.size)
        return (weight, Param("bias", (self.maps,), "zeros")) if self.bias else (weight,)

    def macs(self, x: TensorType) -> int:
        return self.maps * x.size

    def evaluate(self, x: Array, *, weight: Array, bias: Array | None = None) -> Array:
        y = x @ weight.T
        return y if bias is None else y + bias

    def formula(self, x: TensorType) -> str:
        bias = "bias[o] + " if self.bias else ""
        return f"y[o] = {bias}sum(x[k] * weight[o, k] for k < {x.size}), o < {self.maps}"
