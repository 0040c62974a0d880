"""Transposed convolution, also called deconvolution and fractionally strided convolution."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from cnndsl.errors import ConventionError, Fix, ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Param
from cnndsl.ops.kinds import Count, Extent, Flag, Pair, Step
from cnndsl.ops.padding import Padding, PaddingKind, Sides
from cnndsl.ops.rescalable import Rescalable, scaled
from cnndsl.ops.window import Window
from cnndsl.types import TensorType, f32


@dataclass(frozen=True)
class ConvTranspose(Rescalable):
    """
    Set a filter, times each cell of the input, into the output, `stride` cells apart, and add.

    It is the transposed matrix of the convolution with the same filter, stride, dilation and
    padding. So `padding` cuts rows off the output instead of adding them to the input, and
    `output_padding` leaves as many more at its bottom and right, which the stride makes ambiguous:
    `out = (in - 1) * stride + dilation * (kernel - 1) + 1 - begin - end + output_padding` (PyTorch,
    ONNX). `same` makes the output `in * stride` large, as in Keras and ONNX.

    The weight is `[in, out/groups, kh, kw]`, as in PyTorch and ONNX.

    >>> ConvTranspose(8, (3, 3), (2, 2), Padding("same_upper")).infer(f32(7, 7, 4))
    f32[14,14,8]
    """

    row_type = "convtranspose"
    summary = "transposed convolution: each cell sets a filter into a larger image"

    maps: int = attribute(Count(), "output feature maps")
    kernel: Pair = attribute(Extent(), "filter size, height x width")
    stride: Pair = attribute(Step(), "cells of the output from one filter to the next", (1, 1))
    padding: Padding = attribute(PaddingKind(), "cells cut off the output", Padding("valid"))
    output_padding: Pair = attribute(
        Step(0), "cells kept at the bottom and right that the padding cuts off", (0, 0)
    )
    dilation: Pair = attribute(Step(), "cells from one filter tap to the next", (1, 1))
    groups: int = attribute(Count(), "groups of maps that do not see each other", 1)
    bias: bool = attribute(Flag(), "whether a bias is added to each map", True)

    @property
    def reach(self) -> Pair:
        """Cells from a filter's first tap to its last, both counted."""
        return Window(self.kernel, self.stride, self.padding, self.dilation).reach

    def cuts(self) -> Sides:
        """
        Cells that fall off each side of the output; below 0 where some of zeros are added.

        Raises `ConventionError` and `ShapeError`.
        """
        spare = [r - s for r, s in zip(self.reach, self.stride, strict=True)]
        if self.padding.mode == "valid" and min(spare) < 0:
            self._refuse_gaps(spare)
        if not self.padding.mode.startswith("same"):
            (top, bottom), (left, right) = self.padding.sides
            down, across = self.output_padding
            return (top, bottom - down), (left, right - across)
        if min(spare) < 0 or any(self.output_padding):
            raise ShapeError(
                f"{self.padding.mode} makes the output {_x(self.stride)} times as large by itself: "
                "with a kernel smaller than the stride, or output_padding, write cells",
                column="padding",
            )
        if self.padding.mode == "same" and any(total % 2 for total in spare):
            raise ConventionError(
                "frameworks read `same` differently here: an odd number of cells is cut off",
                column="padding",
                fixes=[
                    Fix(
                        "same_upper, as TensorFlow, Keras and ONNX SAME_UPPER do: the odd one at "
                        "the bottom and right",
                        sets=(("padding", "same_upper"),),
                    ),
                    Fix("same_lower, as ONNX SAME_LOWER does", sets=(("padding", "same_lower"),)),
                ],
            )
        begins = [(t + (self.padding.mode == "same_lower")) // 2 for t in spare]
        return (begins[0], spare[0] - begins[0]), (begins[1], spare[1] - begins[1])

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        for word, maps in (("input", x.maps), ("output", self.maps)):
            if maps % self.groups:
                raise ShapeError(
                    f"{maps} {word} maps do not divide into {self.groups} groups", column="groups"
                )
        most = [max(pair) for pair in zip(self.stride, self.dilation, strict=True)]
        if any(extra >= top for extra, top in zip(self.output_padding, most, strict=True)):
            raise ShapeError(
                "output_padding must be smaller than the stride or the dilation",
                column="output_padding",
            )
        height, width = self._output(x.height_width)
        if min(height, width) < 1:
            raise ShapeError(
                f"the padding cuts off all of the output: {self.arithmetic(x)}", column="padding"
            )
        return f32(height, width, self.maps)

    def params(self, x: TensorType) -> tuple[Param, ...]:
        shape = (x.maps, self.maps // self.groups, *self.kernel)
        weight = Param("weight", shape, "he", x.maps // self.groups * prod(self.kernel))
        return (weight, Param("bias", (self.maps,), "zeros")) if self.bias else (weight,)

    def macs(self, x: TensorType) -> int:
        return x.size * self.maps // self.groups * prod(self.kernel)

    def operand_size(self, x: TensorType) -> int:
        # The output before anything is cut off it, which the padding may make much larger.
        sizes = zip(x.height_width, self.stride, self.reach, strict=True)
        uncut = prod((size - 1) * stride + reach for size, stride, reach in sizes)
        return max(x.size, uncut * self.maps)

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        if not self.padding.mode.startswith("same"):
            return ()
        (top, bottom), (left, right) = self.cuts()
        cut = f"top {top}, bottom {bottom}, left {left}, right {right}"
        return (f"padding {self.padding.mode}: cells cut off the output are {cut}",)

    def arithmetic(self, x: TensorType) -> str:
        step = Step()
        words = [f"{_x(x.height_width)} through {_x(self.kernel)} transposed"]
        words.append(f"stride {step.format(self.stride)}")
        if self.dilation != (1, 1):
            words.append(f"dilation {step.format(self.dilation)}")
        words.append(f"padding {PaddingKind().format(self.padding)}")
        if any(self.output_padding):
            words.append(f"output_padding {step.format(self.output_padding)}")
        output = self._output(x.height_width)
        axes = enumerate(zip(x.height_width, output, strict=True))
        sums = dict.fromkeys(self._sum(axis, *sizes) for axis, sizes in axes)
        return f"{' '.join(words)} is {_x(output)}: {'; '.join(sums)}"

    def evaluate(self, x: Array, *, weight: Array, bias: Array | None = None) -> Array:
        n, height, width, maps = x.shape
        (sh, sw), (dh, dw) = self.stride, self.dilation
        rows, columns = (height - 1) * sh + 1, (width - 1) * sw + 1
        y = np.zeros((n, rows + self.reach[0] - 1, columns + self.reach[1] - 1, self.maps))
        inputs = x.reshape(n, height, width, self.groups, -1)
        filters = weight.reshape(self.groups, maps // self.groups, -1, *self.kernel)
        for u, v in np.ndindex(self.kernel):
            taps = np.einsum("nijgc,gco->nijgo", inputs, filters[..., u, v])
            place = y[:, u * dh : u * dh + rows : sh, v * dw : v * dw + columns : sw]
            place += taps.reshape(n, height, width, self.maps)
        (top, bottom), (left, right) = self.cuts()
        y = np.pad(y, ((0, 0), (0, max(-bottom, 0)), (0, max(-right, 0)), (0, 0)))
        y = y[:, top : y.shape[1] - max(bottom, 0), left : y.shape[2] - max(right, 0)]
        return y if bias is None else y + bias

    def scaled_weight(self, weight: Array, scale: Array) -> Array:
        groups = weight.reshape(self.groups, -1, *weight.shape[1:])
        return scaled(groups, scale.reshape(self.groups, 1, -1, 1, 1)).reshape(weight.shape)

    def formula(self, x: TensorType) -> str:
        each = self.maps // self.groups
        bias = "bias[o] + " if self.bias else ""
        other = "o" if self.groups == 1 else f"o % {each}"
        maps = f"c < {x.maps}" if self.groups == 1 else f"c in group o // {each}"
        (top, _), (left, _) = self.cuts()
        places = [
            f"{_times(stride, p)}+{_times(dilation, u)}" + (f"-{begin}" if begin else "")
            for p, u, stride, dilation, begin in (
                ("p", "u", self.stride[0], self.dilation[0], top),
                ("q", "v", self.stride[1], self.dilation[1], left),
            )
        ]
        return (
            f"y[i, j, o] = {bias}sum(x[p, q, c] * weight[c, {other}, u, v] for p < {x.shape[0]}, "
            f"q < {x.shape[1]}, u < {self.kernel[0]}, v < {self.kernel[1]}, {maps} "
            f"if {places[0]} == i and {places[1]} == j)"
        )

    def _output(self, image: Pair) -> Pair:
        height, width = (
            (size - 1) * stride + reach - sum(cut)
            for size, stride, reach, cut in zip(
                image, self.stride, self.reach, self.cuts(), strict=True
            )
        )
        return height, width

    def _sum(self, axis: int, size: int, output: int) -> str:
        (begin, end), more = self.cuts()[axis], self.output_padding[axis]
        terms = [("-", begin), ("-", end + more), ("+", more)]
        ends = "".join(f" {sign} {cells}" for sign, cells in terms if cells)
        return f"({size} - 1) * {self.stride[axis]} + {self.reach[axis]}{ends} = {output}"

    def _refuse_gaps(self, spare: list[int]) -> None:
        extra = Step(0).format((max(0, -spare[0]), max(0, -spare[1])))
        raise ConventionError(
            "frameworks read `valid` differently where the stride is larger than the kernel",
            column="padding",
            fixes=[
                Fix(
                    "padding=0, as PyTorch and ONNX: the output ends with the last filter",
                    sets=(("padding", "0"),),
                ),
                Fix(
                    f"padding=0 output_padding={extra}, as Keras: it is stride times as large",
                    sets=(("padding", "0"), ("output_padding", extra)),
                ),
            ],
        )


def _times(factor: int, index: str) -> str:
    return index if factor == 1 else f"{factor}{index}"


def _x(pair: Pair) -> str:
    return f"{pair[0]}x{pair[1]}"
