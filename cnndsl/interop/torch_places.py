"""Operators that set cells in other places, or between others, as PyTorch computes them."""

from __future__ import annotations

from typing import Any

from cnndsl.ops.base import Op
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.pad import Pad
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.types import TensorType, f32

# PyTorch's types say little, and it need not be installed: this is the border where they are `Any`.
Tensor = Any

# Where the axes of a shape, height, width and maps or features, are in a tensor.
_AXES = {4: (2, 3, 1), 2: (1,)}


def moved(torch: Any, op: Op, x: Tensor) -> Tensor:
    """The result of an operator that sets cells in other places, or between others."""
    match op:
        case Flatten():
            return torch.flatten(_turned(x) if op.order == "hwc" else x, 1)
        case Reshape():
            return _reshaped(torch, op, x)
        case Shuffle():
            return torch.nn.functional.channel_shuffle(x, op.groups)
        case Slice():
            for axis, places in zip(_AXES[x.dim()], op.places(_type(x)), strict=True):
                x = x.index_select(axis, torch.tensor(list(places)))
            return x
        case Pad():
            (top, bottom), (left, right) = op.padding
            modes = {"zeros": "constant", "edge": "replicate"}
            options = {"value": op.value or 0.0} if op.mode in ("zeros", "constant") else {}
            mode = modes.get(op.mode, op.mode)
            return torch.nn.functional.pad(x, (left, right, top, bottom), mode, **options)
        case Resize():
            return _resized(torch, op, x)
        case _:
            raise TypeError(f"PyTorch is not asked for {op.row_type}")


def _turned(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x


def _reshaped(torch: Any, op: Reshape, x: Tensor) -> Tensor:
    cells = torch.flatten(_turned(x) if op.order == "hwc" else x, 1)
    if len(op.to) == 1:
        return cells
    height, width, maps = op.to
    if op.order == "chw":
        return cells.reshape(-1, maps, height, width)
    return cells.reshape(-1, height, width, maps).permute(0, 3, 1, 2)


def _resized(torch: Any, op: Resize, x: Tensor) -> Tensor:
    """PyTorch's own where it has the convention, else the rows and columns that it says."""
    sampling = op.sampling(_type(x))
    size = op.infer(_type(x)).height_width
    modes: dict[tuple[str, str, str | None], dict[str, Any]] = {
        ("bilinear", "half_pixel", None): {"mode": "bilinear", "align_corners": False},
        ("bilinear", "align_corners", None): {"mode": "bilinear", "align_corners": True},
        ("nearest", "asymmetric", "floor"): {"mode": "nearest"},
        ("nearest", "half_pixel", "half_up"): {"mode": "nearest-exact"},
    }
    options = modes.get((op.mode, sampling.coordinates, sampling.rounding))
    if options is not None:
        return torch.nn.functional.interpolate(x, size, **options)
    for axis, new in zip((2, 3), size, strict=True):
        low, high, share = map(torch.from_numpy, sampling.taps(x.shape[axis], new))
        before, behind = x.index_select(axis, low), x.index_select(axis, high)
        weight = share if axis == 3 else share[:, None]
        x = before if op.mode == "nearest" else torch.lerp(before, behind, weight)
    return x


def _type(x: Tensor) -> TensorType:
    return f32(*(int(x.shape[axis]) for axis in _AXES[x.dim()]))
