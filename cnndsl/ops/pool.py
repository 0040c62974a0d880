"""What max, average and the other window operators without filters share."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Op
from cnndsl.ops.kinds import Choice, Extent, Pair, Step
from cnndsl.ops.padding import Padding, PaddingKind
from cnndsl.ops.window import Window
from cnndsl.types import TensorType, f32

ROUNDING = Choice(("floor", "ceil", "ceil_caffe"))


@dataclass(frozen=True)
class Pool(Op):
    """
    A window that slides over each map by itself.

    The stride has no default, since ONNX's is 1 where Keras's and PyTorch's is the kernel.
    """

    kernel: Pair = attribute(Extent(), "window size, height x width")
    stride: Pair = attribute(Step(), "cells from one window to the next")
    padding: Padding = attribute(PaddingKind(), "cells around the image", Padding("valid"))
    dilation: Pair = attribute(Step(), "cells from one cell of a window to the next", (1, 1))
    rounding: str = attribute(
        ROUNDING, "whether a last window that overhangs is dropped (floor) or kept", "floor"
    )

    @property
    def window(self) -> Window:
        """The window that slides."""
        return Window(self.kernel, self.stride, self.padding, self.dilation, self.rounding)

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        output = self.window.output(x.height_width)
        if self.window.misses(x.height_width):
            raise ShapeError(
                "a window lies wholly outside the image, where there is nothing to pool",
                column="padding",
                fixes=["less padding, or a larger kernel"],
            )
        return f32(*output, x.maps)

    def takes_each_cell(self, x: TensorType) -> bool:
        """Whether each cell of the image is a window of its own, and there are no others."""
        (top, bottom), (left, right) = self.window.sides(x.height_width)
        padded = any((top, bottom, left, right))
        return self.kernel == (1, 1) and not padded and self.infer(x) == x

    def arithmetic(self, x: TensorType) -> str:
        return self.window.arithmetic(x.height_width)

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        return self.window.conventions(x.height_width)

    def operand_size(self, x: TensorType) -> int:
        return self.window.padded_cells(x.height_width) * x.maps

    def cells(self, x: TensorType) -> str:
        """The window's cells of map c, for a formula."""
        cell = self.window.cell(x.height_width)
        return f"x[{cell}, c] for u < {self.kernel[0]}, v < {self.kernel[1]}" + (
            " inside the image" if self.window.overhangs(x.height_width) else ""
        )
