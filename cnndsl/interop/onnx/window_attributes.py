"""The attributes that ONNX's operators with windows share: kernels, strides, dilations, padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.ops.kinds import Pair
from cnndsl.ops.padding import Padding

_AUTO_PADDING: Mapping[str, Padding] = {
    "VALID": Padding("valid"),
    "SAME_UPPER": Padding("same_upper"),
    "SAME_LOWER": Padding("same_lower"),
}


@dataclass(frozen=True, slots=True)
class WindowAttributes:
    """A number for each axis that a window slides along; `sides` are the cells around the axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    sides: tuple[Pair, ...]
    auto: str

    def fields(self, height: int | None, width: int | None) -> dict[str, Any]:
        """
        A row's window along two of the axes, or with None for a side of the image, along one.

        Along a side that is no axis the window is one cell.
        """

        def pair(values: Sequence[int]) -> Pair:
            rows, columns = (1 if axis is None else values[axis] for axis in (height, width))
            return rows, columns

        top, left = ((0, 0) if axis is None else self.sides[axis] for axis in (height, width))
        padding = Padding("explicit", (top, left)) if any((*top, *left)) else Padding("valid")
        return {
            "kernel": pair(self.kernel),
            "stride": pair(self.stride),
            "padding": _AUTO_PADDING.get(self.auto, padding),
            "dilation": pair(self.dilation),
        }

    @property
    def image(self) -> dict[str, Any]:
        """The window of a row where it slides along one axis or two."""
        return self.fields(None, 0) if len(self.kernel) == 1 else self.fields(0, 1)

    def cells_around(self, axis: int, size: int) -> Pair:
        """The cells around an axis of that size (ONNX, Conv, auto_pad)."""
        if self.auto in ("", "VALID"):
            return self.sides[axis]
        stride, reach = self.stride[axis], self.reach(axis)
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
        less, more = total // 2, total - total // 2
        return (less, more) if self.auto == "SAME_UPPER" else (more, less)

    def reach(self, axis: int) -> int:
        """Cells from a window's first to its last, both counted."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1


def window_attributes(step: Step, kernel: Sequence[int] = ()) -> WindowAttributes:
    """A node's window. Its `kernel` is that of its filters where no attribute says it."""
    sizes = tuple(int(size) for size in step.get("kernel_shape") or kernel)
    ones = [1] * len(sizes)
    auto = str(step.get("auto_pad", "NOTSET"))
    pads = [int(pad) for pad in step.get("pads") or [0, 0] * len(sizes)]
    if auto in _AUTO_PADDING:
        pads = [0, 0] * len(sizes)
    if min(pads, default=0) < 0:
        raise Unsupported("negative padding has no row", "a Slice before it")
    half = len(pads) // 2
    return WindowAttributes(
        sizes,
        tuple(int(stride) for stride in step.get("strides") or ones),
        tuple(int(dilation) for dilation in step.get("dilations") or ones),
        tuple(zip(pads[:half], pads[half:], strict=True)),
        auto if auto in _AUTO_PADDING else "",
    )
