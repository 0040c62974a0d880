"""ONNX's Resize: a `resize` row where one says it, else filters along each axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from cnndsl.errors import CnnError
from cnndsl.interop.onnx.import_cells import multiplied
from cnndsl.interop.onnx.interpolation import COORDINATES, Interpolation
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View, as_image
from cnndsl.limits import Limits
from cnndsl.ops.resize import Resize
from cnndsl.types import TensorType

_MODES = {"nearest": "nearest", "linear": "bilinear"}
_ROUNDINGS = {
    "floor": "floor",
    "ceil": "ceil",
    "round_prefer_floor": "half_down",
    "round_prefer_ceil": "half_up",
}


@dataclass(frozen=True, slots=True)
class _Axis:
    """What happens along an axis of the ONNX value: `new` is `old * scale`, rounded down."""

    old: int
    new: int
    scale: float
    crop: tuple[float, float] = (0.0, 1.0)

    @property
    def whole(self) -> bool:
        """Whether the scale is the ratio of the sizes."""
        return abs(self.old * self.scale - self.new) <= 1e-3

    @property
    def kept(self) -> bool:
        """Whether nothing happens."""
        return self.old == self.new and self.scale == 1 and self.crop == (0.0, 1.0)


def import_resize(step: Step) -> View:
    """
    A `resize` row, its convention named where it makes a difference.

    Where no such row says it (cubic, antialiased, cropped, by a scale that makes no whole number of
    cells), a `conv` of 1x1 along each axis, whose filters are the weights of the old cells.
    """
    view, wanted = step.view(), _interpolation(step)
    axes = _axes(step, view)
    start = len(step.lead)
    if not all(axis.kept for axis in axes[:start]):
        raise Unsupported("it resizes the batch")
    axes = axes[start:]
    if max((axis.new for axis in axes), default=0) > Limits().dimension:
        # Before its places are counted, one by one.
        size = "x".join(str(axis.new) for axis in axes[1:])
        raise Unsupported(f"{size} is larger than the limit")
    if any(axis.new < 1 for axis in axes):
        raise Unsupported("it leaves no cells")
    size = _row_size(step, wanted, axes)
    if size is None:
        return _filtered(step, view, wanted, axes)
    op = _shortest(wanted, size, as_image(view.shape))
    made = step.builder.view(step.add(op, step.builder.image(view)))
    return made if len(axes) == 3 else made.reshaped((made.shape[0], made.shape[2]))


def _interpolation(step: Step) -> Interpolation:
    old = step.facts.op_type == "Upsample" or step.opset < 11
    mode = str(step.get("mode", "nearest"))
    wanted = Interpolation(
        "linear" if mode == "bilinear" else mode,
        str(step.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")),
        str(step.get("nearest_mode", "floor" if old else "round_prefer_floor")),
        float(step.get("cubic_coeff_a", -0.75)),
        bool(step.get("antialias", 0)),
        bool(step.get("exclude_outside", 0)),
    )
    for name, value, known in (
        ("mode", wanted.mode, ("nearest", "linear", "cubic")),
        ("coordinate_transformation_mode", wanted.coordinates, COORDINATES),
        ("nearest_mode", wanted.rounding, _ROUNDINGS),
    ):
        if value not in known:
            raise Unsupported(f"{name}={value} has no row")
    return wanted


def _row_size(step: Step, wanted: Interpolation, axes: Sequence[_Axis]) -> tuple[int, int] | None:
    """The new height and width where a `resize` row says it all."""
    plain = (
        wanted.mode in _MODES
        and not (wanted.antialias or wanted.exclude_outside)
        and wanted.coordinates != "tf_crop_and_resize"
        and all(axis.whole for axis in axes)
    )
    if not plain or not step.lead or not 2 <= len(axes) <= 3 or not axes[0].kept:
        return None
    size = (axes[1].new, axes[2].new) if len(axes) == 3 else (1, axes[1].new)
    # PyTorch's half_pixel has one cell at the border and not in the middle.
    same = wanted.coordinates != "pytorch_half_pixel" or min(size) > 1
    return size if same else None


def _filtered(step: Step, view: View, wanted: Interpolation, axes: Sequence[_Axis]) -> View:
    """
    Each axis times its matrix of weights.

    What lies outside a crop has an extrapolated value: without it all cells are less, and get it
    back at the end.
    """
    value = float(step.get("extrapolation_value", 0.0))
    cropped = wanted.coordinates == "tf_crop_and_resize" and value != 0
    made = _shifted(step, view, -value) if cropped else view
    for place, axis in enumerate(axes):
        if axis.kept:
            continue
        matrix = wanted.weights(axis.old, axis.new, axis.scale, axis.crop).astype(np.float32)
        made = multiplied(step, made, matrix, place)
    return _shifted(step, made, value) if cropped else made


def _shifted(step: Step, view: View, value: float) -> View:
    shift = np.full(view.shape[0], value)
    return step.builder.scaled(view, None, shift, step.facts, 0)


def _shortest(wanted: Interpolation, size: tuple[int, int], image: TensorType) -> Resize:
    """The row with as few words as say the same."""
    mode = _MODES[wanted.mode]
    half = wanted.coordinates in ("half_pixel_symmetric", "pytorch_half_pixel")
    convention: dict[str, Any] = {"coordinates": "half_pixel" if half else wanted.coordinates}
    if wanted.mode == "nearest":
        convention["rounding"] = _ROUNDINGS[wanted.rounding]
    whole = [new // old for new, old in zip(size, image.height_width, strict=True)]
    exact = [f * old for f, old in zip(whole, image.height_width, strict=True)] == list(size)
    extent: dict[str, Any] = {"factor": (whole[0], whole[1])} if exact else {"to": size}
    full = Resize(mode, **extent, **convention)
    plain = Resize(mode, **extent)
    try:
        pairs = list(zip(image.height_width, size, strict=True))
        same = all(
            all(np.array_equal(a, b) for a, b in zip(x, y, strict=True))
            for x, y in (
                (plain.sampling(image).taps(*pair), full.sampling(image).taps(*pair))
                for pair in pairs
            )
        )
    except CnnError:
        return full
    return plain if same else full


def _axes(step: Step, view: View) -> list[_Axis]:
    """All axes of the ONNX value."""
    whole = step.whole(view)
    rank = len(whole)
    upsample = step.facts.op_type == "Upsample"
    place = 1 if upsample or step.opset < 11 else 2
    chosen = [int(axis) % rank for axis in step.get("axes", range(rank))]
    given = step.get("scales")
    scales: Array | None = (
        np.asarray(given, np.float64) if given else step.optional(place, "scales")
    )
    sizes = None if upsample else step.optional(3, "sizes")
    axes = [_Axis(side, side, 1.0) for side in whole]
    if sizes is not None and sizes.size:
        wanted = [int(size) for size in sizes.reshape(-1)]
        new = _in_proportion(step, wanted, [whole[axis] for axis in chosen])
    elif scales is not None:
        factors = [float(scale) for scale in scales.reshape(-1)]
        if not all(math.isfinite(factor) and factor > 0 for factor in factors):
            raise Unsupported("its scales are no positive numbers")
        new = [
            # A scale that a float32 rounded down would make the image a cell smaller.
            (int(whole[axis] * scale + 1e-4), scale)
            for axis, scale in zip(chosen, factors, strict=True)
        ]
    else:
        return axes
    for axis, (size, scale) in zip(chosen, new, strict=True):
        axes[axis] = _Axis(whole[axis], size, scale)
    return _cropped(step, axes, chosen)


def _cropped(step: Step, axes: list[_Axis], chosen: Sequence[int]) -> list[_Axis]:
    if step.get("coordinate_transformation_mode") != "tf_crop_and_resize":
        return axes
    region = [float(number) for number in step.constant(1, "roi").reshape(-1)]
    if len(region) != 2 * len(chosen):
        raise Unsupported("its roi has another length than its axes")
    for i, place in enumerate(chosen):
        axis, crop = axes[place], (region[i], region[i + len(chosen)])
        axes[place] = _Axis(axis.old, axis.new, axis.scale, crop)
    return axes


def _in_proportion(step: Step, wanted: list[int], old: list[int]) -> list[tuple[int, float]]:
    """
    The sizes with the scales that make them.

    All axes grow by one factor where that is asked: the sizes are then rounded, halves up.
    """
    if min(old, default=1) < 1 or min(wanted, default=1) < 1:
        raise Unsupported("it leaves no cells")
    policy = str(step.get("keep_aspect_ratio_policy", "stretch"))
    factors = [Fraction(new, side) for new, side in zip(wanted, old, strict=True)]
    if policy == "stretch":
        return [(size, float(factor)) for size, factor in zip(wanted, factors, strict=True)]
    factor = min(factors) if policy == "not_larger" else max(factors)
    sizes = [math.floor(factor * side + Fraction(1, 2)) for side in old]
    return [(size, float(factor)) for size in sizes]
