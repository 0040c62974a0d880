"""Depthwise separable convolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.conv import Conv
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.kinds import Count, Extent, Flag, Pair, Step
from cnndsl.ops.padding import Padding, PaddingKind
from cnndsl.types import TensorType

PARTS = ("depthwise", "pointwise")
"""The two convolutions, as their parameters' names begin."""


@dataclass(frozen=True)
class Separable(Op):
    """
    A depthwise convolution, then a 1x1 convolution over its maps; nothing between them.

    So Keras's SeparableConv2D has it: no bias and no activation after the depthwise half, and
    stride, padding and dilation are the depthwise half's (Chollet 2016, arXiv:1610.02357). Its
    parameters are those of the two convolutions: `depthwise.weight`, `pointwise.weight` and
    `pointwise.bias`.
    """

    row_type = "separable"
    summary = "a depthwise convolution, then a 1x1 convolution"

    maps: int = attribute(Count(), "output feature maps")
    kernel: Pair = attribute(Extent(), "size of the depthwise filters, height x width")
    stride: Pair = attribute(Step(), "cells from one window to the next", (1, 1))
    padding: Padding = attribute(PaddingKind(), "zeros around the image", Padding("valid"))
    dilation: Pair = attribute(Step(), "cells from one filter tap to the next", (1, 1))
    multiplier: int = attribute(Count(), "depthwise filters for each input map", 1)
    bias: bool = attribute(Flag(), "whether a bias is added to each output map", True)

    @property
    def depthwise(self) -> Depthwise:
        """The first convolution."""
        return Depthwise(
            self.kernel, self.stride, self.padding, self.dilation, self.multiplier, bias=False
        )

    @property
    def pointwise(self) -> Conv:
        """The second convolution."""
        return Conv(self.maps, (1, 1), bias=self.bias)

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        return self.pointwise.infer(self.depthwise.infer(x))

    def params(self, x: TensorType) -> tuple[Param, ...]:
        halves = self.depthwise.params(x), self.pointwise.params(self.depthwise.infer(x))
        return tuple(
            replace(param, name=f"{part}.{param.name}")
            for part, params in zip(PARTS, halves, strict=True)
            for param in params
        )

    def macs(self, x: TensorType) -> int:
        return self.depthwise.macs(x) + self.pointwise.macs(self.depthwise.infer(x))

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        return self.depthwise.conventions(x)

    def arithmetic(self, x: TensorType) -> str:
        return self.depthwise.arithmetic(x)

    def operand_size(self, x: TensorType) -> int:
        return self.depthwise.operand_size(x) + self.depthwise.infer(x).size

    def evaluate(self, x: Array, **params: Array) -> Array:
        middle = self.depthwise.evaluate(x, weight=params["depthwise.weight"])
        weight, bias = params["pointwise.weight"], params.get("pointwise.bias")
        return self.pointwise.evaluate(middle, weight=weight, bias=bias)

    def formula(self, x: TensorType) -> str:
        first = self.depthwise.formula(x).replace("y[", "d[", 1)
        first = first.replace("weight", "depthwise.weight")
        bias = "pointwise.bias[o] + " if self.bias else ""
        return (
            f"y[i, j, o] = {bias}sum(d[i, j, m] * pointwise.weight[o, m, 0, 0] "
            f"for m < {x.maps * self.multiplier}); {first}"
        )
