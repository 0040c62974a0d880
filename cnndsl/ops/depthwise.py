"""Depthwise convolution."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Param
from cnndsl.ops.conv import Conv
from cnndsl.ops.kinds import Count, Extent, Flag, Pair, Step
from cnndsl.ops.padding import Padding, PaddingKind
from cnndsl.ops.rescalable import Rescalable
from cnndsl.ops.window import Window
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Depthwise(Rescalable):
    """
    Filter each map by itself, with `multiplier` filters a map.

    Howard et al. 2017, arXiv:1704.04861, equation 3. Output map o reads input map
    `o // multiplier`. It is the convolution whose groups are the input maps, and its weight is that
    one's, `[out, 1, kh, kw]`.

    >>> Depthwise((3, 3), padding=Padding("same")).infer(TensorType("f32", (8, 8, 32)))
    f32[8,8,32]
    """

    row_type = "depthwise"
    summary = "a convolution of each map by itself"

    kernel: Pair = attribute(Extent(), "filter size, height x width")
    stride: Pair = attribute(Step(), "cells from one window to the next", (1, 1))
    padding: Padding = attribute(PaddingKind(), "zeros around the image", Padding("valid"))
    dilation: Pair = attribute(Step(), "cells from one filter tap to the next", (1, 1))
    multiplier: int = attribute(Count(), "output maps for each input map", 1)
    bias: bool = attribute(Flag(), "whether a bias is added to each map", True)

    @property
    def window(self) -> Window:
        """The filters' window."""
        return Window(self.kernel, self.stride, self.padding, self.dilation)

    def as_conv(self, maps: int) -> Conv:
        """The grouped convolution that computes the same from that many maps."""
        return Conv(
            maps * self.multiplier,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            groups=maps,
            bias=self.bias,
        )

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        return self.as_conv(x.maps).infer(x)

    def params(self, x: TensorType) -> tuple[Param, ...]:
        return self.as_conv(x.maps).params(x)

    def macs(self, x: TensorType) -> int:
        return self.as_conv(x.maps).macs(x)

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        return self.window.conventions(x.height_width)

    def arithmetic(self, x: TensorType) -> str:
        return self.window.arithmetic(x.height_width)

    def operand_size(self, x: TensorType) -> int:
        return self.window.padded_cells(x.height_width) * x.maps

    def evaluate(self, x: Array, *, weight: Array, bias: Array | None = None) -> Array:
        return self.as_conv(x.shape[-1]).evaluate(x, weight=weight, bias=bias)

    def formula(self, x: TensorType) -> str:
        maps = "o" if self.multiplier == 1 else f"o // {self.multiplier}"
        bias = "bias[o] + " if self.bias else ""
        zeros = "; x is 0 outside" if self.window.overhangs(x.height_width) else ""
        return (
            f"y[i, j, o] = {bias}sum(x[{self.window.cell(x.height_width)}, {maps}] * "
            f"weight[o, 0, u, v] for u < {self.kernel[0]}, v < {self.kernel[1]}){zeros}"
        )
