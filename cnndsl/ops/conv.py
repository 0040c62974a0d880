"""2-D convolution. All that the compiler knows of it, kernels aside, is here."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Param
from cnndsl.ops.connections import (
    Connections,
    ConnectionsKind,
    connection_mask,
    count_links,
)
from cnndsl.ops.kinds import Count, Extent, Flag, Pair, Step
from cnndsl.ops.padding import Padding, PaddingKind
from cnndsl.ops.rescalable import Rescalable
from cnndsl.ops.window import Window
from cnndsl.types import TensorType, f32


@dataclass(frozen=True)
class Conv(Rescalable):
    """
    Cross-correlate images with filters (what deep learning calls convolution).

    `y[n,i,j,o] = bias[o] + sum over u, v, c of x[n, i*stride+u*dilation, j*stride+v*dilation, c]
    * weight[o,c,u,v]`, x being zero-padded. With groups, output map o reads only the input maps of
    its own group; with `connect`, only the listed ones (LeCun et al. 1998, table I).

    >>> Conv(96, (11, 11), (4, 4)).infer(f32(227, 227, 3))
    f32[55,55,96]
    """

    row_type = "conv"
    summary = "2-D convolution: filters slide over the image"

    maps: int = attribute(Count(), "output feature maps, one a filter")
    kernel: Pair = attribute(Extent(), "filter size, height x width")
    stride: Pair = attribute(Step(), "cells from one window to the next", (1, 1))
    padding: Padding = attribute(PaddingKind(), "zeros around the image", Padding("valid"))
    dilation: Pair = attribute(Step(), "cells from one filter tap to the next", (1, 1))
    groups: int = attribute(Count(), "groups of maps that do not see each other", 1)
    bias: bool = attribute(Flag(), "whether a bias is added to each map", True)
    connect: Connections = attribute(
        ConnectionsKind(), "which input maps each output map reads, e.g. 0-2,1-3,0+4-5", ()
    )

    @property
    def window(self) -> Window:
        """The filters' window."""
        return Window(self.kernel, self.stride, self.padding, self.dilation)

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        for word, maps in (("input", x.maps), ("output", self.maps)):
            if maps % self.groups:
                raise ShapeError(
                    f"{maps} {word} maps do not divide into {self.groups} groups", column="groups"
                )
        if self.connect:
            self._check_connections(x)
        return f32(*self.window.output(x.height_width), self.maps)

    def params(self, x: TensorType) -> tuple[Param, ...]:
        shape = (self.maps, x.maps // self.groups, *self.kernel)
        weight = Param("weight", shape, "he", prod(shape[1:]), connections=self.connect)
        return (weight, Param("bias", (self.maps,), "zeros")) if self.bias else (weight,)

    def macs(self, x: TensorType) -> int:
        height, width, maps = self.infer(x).shape
        links = count_links(self.connect) if self.connect else maps * x.maps // self.groups
        return height * width * links * prod(self.kernel)

    def arithmetic(self, x: TensorType) -> str:
        return self.window.arithmetic(x.height_width)

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        return self.window.conventions(x.height_width)

    def operand_size(self, x: TensorType) -> int:
        return self.window.padded_cells(x.height_width) * x.maps

    def evaluate(self, x: Array, *, weight: Array, bias: Array | None = None) -> Array:
        each = x.shape[-1] // self.groups
        if self.connect:
            weight = np.where(connection_mask(self.connect, weight.shape), weight, 0.0)
        windows = self.window.windows(x, 0.0)
        windows = windows.reshape(*windows.shape[:3], self.groups, each, *self.kernel)
        filters = weight.reshape(self.groups, self.maps // self.groups, each, *self.kernel)
        y = np.einsum("nijgcuv,gocuv->nijgo", windows, filters, optimize=True)
        y = y.reshape(*y.shape[:3], self.maps)
        return y if bias is None else y + bias

    def formula(self, x: TensorType) -> str:
        maps = f"c < {x.maps // self.groups}" + (" of o's group" if self.groups > 1 else "")
        maps = "c in connect[o]" if self.connect else maps
        bias = "bias[o] + " if self.bias else ""
        zeros = "; x is 0 outside" if self.window.overhangs(x.height_width) else ""
        return (
            f"y[i, j, o] = {bias}sum(x[{self.window.cell(x.height_width)}, c] * weight[o, c, u, v] "
            f"for u < {self.kernel[0]}, v < {self.kernel[1]}, {maps}){zeros}"
        )

    def _check_connections(self, x: TensorType) -> None:
        if self.groups != 1:
            raise ShapeError("connect and groups exclude each other", column="groups")
        if len(self.connect) != self.maps:
            raise ShapeError(
                f"connect lists {len(self.connect)} output maps, and the row has {self.maps}",
                column="connect",
            )
        largest = max(max(links) for links in self.connect)
        if largest >= x.maps:
            raise ShapeError(
                f"connect names input map {largest}, and the input's are 0..{x.maps - 1}",
                column="connect",
            )
