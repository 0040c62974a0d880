"""ONNX's functions of one cell at a time, and softmax, as rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from cnndsl.interop.onnx.idioms import CLOSE, INNER, OUTER
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step, along, number, per_place
from cnndsl.interop.onnx.values import View
from cnndsl.ops.activation import Activation
from cnndsl.ops.function_kind import format_call
from cnndsl.ops.prelu import Prelu

_LOWEST, _HIGHEST = -3.4028235e38, 3.4028235e38
_ALPHA, _GAMMA = 1.67326319, 1.05070102
"""The numbers of selu, as ONNX rounds them."""


def plain_function(name: str, **defaults: float) -> Callable[[Step], View]:
    """The import of a function whose attributes, in this order, are its numbers."""

    def import_function(step: Step) -> View:
        numbers = [fraction(float(step.get(key, value))) for key, value in defaults.items()]
        return _function(step, format_call(name, numbers))

    return import_function


def function(text: str) -> Callable[[Step], View]:
    """The import of a function that has its numbers in the operator's name."""
    return lambda step: _function(step, text)


def fraction(value: float) -> float:
    """The number that a float32 was probably made of: 1/6, or the decimal that it is."""
    near = Fraction(value).limit_denominator(12)
    return float(near) if np.float32(float(near)) == np.float32(value) else value


def import_clip(step: Step) -> View:
    """`relu`, `relu6` or `clip`."""
    low, high = (
        step.get(name) if step.opset < 11 else number(step.optional(place, name))
        for place, name in ((1, "min"), (2, "max"))
    )
    return clipped(step, step.view(), low, high)


def clipped(step: Step, view: View, low: float | None, high: float | None) -> View:
    """The view within bounds."""
    low, high = _LOWEST if low is None else low, _HIGHEST if high is None else high
    if low == 0 and high >= _HIGHEST:
        text = "relu"
    elif (low, high) == (0, 6):
        text = "relu6"
    else:
        low = min(low, high)  # ONNX, Clip: where they cross, all is the maximum
        text = format_call("clip", [low, high])
    return step.builder.elementwise(Activation(text), view, step.facts)


def import_selu(step: Step) -> View:
    """`selu`, or with other numbers `elu` times gamma."""
    alpha, gamma = (
        float(step.get(name, value)) for name, value in (("alpha", _ALPHA), ("gamma", _GAMMA))
    )
    if abs(alpha - _ALPHA) < 1e-6 and abs(gamma - _GAMMA) < 1e-6:
        return _function(step, "selu")
    return _scaled(step, _function(step, format_call("elu", [alpha])), gamma)


def import_celu(step: Step) -> View:
    """`elu`, with another alpha of the tensor divided by alpha, times alpha."""
    return _of_scaled(step, "elu", float(step.get("alpha", 1.0)), inverse=True)


def import_swish(step: Step) -> View:
    """`silu`, with another alpha of the tensor times alpha, divided by alpha."""
    return _of_scaled(step, "silu", float(step.get("alpha", 1.0)))


def import_gelu(step: Step) -> View:
    """`gelu_erf` or `gelu_tanh`."""
    return _function(step, "gelu_tanh" if step.get("approximate") == "tanh" else "gelu_erf")


def import_scaled_tanh(step: Step) -> View:
    """`scaled_tanh`: an operator of old, and what that formula is taken for."""
    numbers = float(step.get("alpha", 1.0)), float(step.get("beta", 1.0))
    if not np.allclose(numbers, (OUTER, INNER), rtol=CLOSE, atol=0):
        raise Unsupported("its numbers are not 1.7159 and 2/3", "a Tanh between two Mul")
    return _function(step, "scaled_tanh")


def import_softmax(step: Step) -> View:
    """`softmax` or `log_softmax` over the axis, or in older opsets over all from the axis on."""
    name = "softmax" if step.facts.op_type == "Softmax" else "log_softmax"
    view, op = step.view(), Activation(name)
    rank = len(view.shape)
    if step.opset >= 13:
        return along(step, view, step.axis(int(step.get("axis", -1)), rank), op)
    place = step.axis(int(step.get("axis", 1)), rank)
    axes = [axis for axis in range(place, rank) if view.shape[axis] > 1]
    if len(axes) <= 1:
        return along(step, view, axes[0] if axes else place, op)
    if place:
        raise Unsupported("it normalizes several axes together, but not all", "opset 13 or newer")
    return step.builder.view(step.add(op, step.builder.vector(view)), view.shape)


def import_prelu(step: Step) -> View:
    """A `prelu` row."""
    view, slopes = step.view(), step.constant(1, "slopes")
    if slopes.size == 1:
        op, weight = Prelu("one"), slopes.reshape(1)
        name = step.add(op, view.node, params={"weight": weight})
        return replace(view, node=name, shared=False)
    if slopes.size == prod(view.shape) and len(view.shape) == 3 and prod(view.shape[1:]) > 1:
        cells = slopes.reshape(view.shape).transpose(1, 2, 0)
        name = step.add(Prelu("cell"), step.builder.image(view), params={"weight": cells})
        return step.builder.view(name, view.shape)
    if slopes.shape == view.shape[:1] and slopes.shape != view.shape[-1:]:
        # Up to opset 6 slopes along one axis are those of the maps.
        return along(step, view, 0, Prelu("map"), weight=slopes)
    line = per_place(slopes, view.shape)
    if line is None:
        raise Unsupported(f"slopes of the shape {list(slopes.shape)} have no row")
    weight, axis = line
    return along(step, view, axis, Prelu("map"), weight=weight)


def _of_scaled(step: Step, name: str, factor: float, *, inverse: bool = False) -> View:
    """A function of the tensor times the factor, divided by the factor; or the other way round."""
    if factor == 1:
        return _function(step, name)
    factor = 1 / factor if inverse else factor
    inner = _scaled(step, replace(step.view(), shared=True), factor)
    outer = step.builder.elementwise(Activation(name), inner, step.facts)
    return _scaled(step, outer, 1 / factor)


def _scaled(step: Step, view: View, factor: float) -> View:
    """The tensor times a number."""
    count = view.shape[0] if view.shape else 1
    return step.builder.scaled(view, np.full(count, factor), None, step.facts, 0)


def _function(step: Step, text: str) -> View:
    return step.builder.elementwise(Activation(text), step.view(), step.facts)
