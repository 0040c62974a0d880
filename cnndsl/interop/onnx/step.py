"""One ONNX node on its way into our graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from cnndsl.interop.onnx.building import Builder
from cnndsl.interop.onnx.reading import Array, Facts, round_float
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.values import View, as_image, onnx_shape
from cnndsl.ops.base import Op
from cnndsl.ops.constant import Constant

Known: TypeAlias = View | Array
"""What an ONNX value is: computed from the image, or constant."""


@dataclass(frozen=True)
class Step:
    """
    A node with what is known of its inputs.

    `lead` are the axes that an ONNX value has before those of its view: how many images the model's
    shapes speak of (where it says none, they speak of one), or nothing where the model has no
    batch. `read` are the outputs that somebody reads.
    """

    facts: Facts
    inputs: Sequence[Known | None]
    builder: Builder
    opset: int
    lead: tuple[int, ...]
    read: frozenset[str]

    def view(self, place: int = 0) -> View:
        """An input that is computed, or a `constant` row that holds it."""
        value = self.given(place)
        if isinstance(value, View):
            return value
        if value is None:
            raise Unsupported("an input is missing")
        return self.held(value)

    def held(self, array: Array, rank: int = 0) -> View:
        """
        A `constant` row that holds an array, the same for every image.

        It has that many axes, and the batch, at least: those in front are of one place.
        """
        lead = len(self.lead)
        whole = array.reshape((1,) * (rank + lead - array.ndim) + array.shape)
        if whole.dtype.kind != "f":
            raise Unsupported("a constant of other numbers than floats has no row")
        if whole.shape[:lead] not in ((), (1,), self.lead) or (
            np.ptp(whole, axis=0).any() and lead
        ):
            raise Unsupported("a constant that differs from image to image has no row")
        whole, shape = whole[:1] if lead else whole, whole.shape[lead:]
        if len(shape) == 1:
            op, value = Constant(shape[0]), whole.reshape(shape)
        else:
            image = as_image(shape)
            op = Constant(image.maps, image.height_width)
            value = whole.reshape(onnx_shape(image)).transpose(1, 2, 0)
        name = self.builder.add(op, (), params={"value": value})
        return self.builder.view(name, shape)

    def constant(self, place: int, what: str) -> Array:
        """An input that is constant."""
        value = self.given(place)
        if isinstance(value, View):
            raise Unsupported(f"its {what} is computed from the image, and must be constant")
        if value is None:
            raise Unsupported(f"its {what} is missing")
        return value

    def optional(self, place: int, what: str) -> Array | None:
        """An input that is constant or left out."""
        return None if self.given(place) is None else self.constant(place, what)

    def given(self, place: int) -> Known | None:
        """An input, or None where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else None

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.facts.attributes.get(name, default)

    def integers(self, name: str, place: int | None = None) -> list[int] | None:
        """Integers that are an attribute in older opsets and an input in newer ones."""
        if name in self.facts.attributes:
            value = self.facts.attributes[name]
            return [int(v) for v in value] if not isinstance(value, int) else [value]
        array = None if place is None else self.optional(place, name)
        return None if array is None else [int(v) for v in array.reshape(-1)]

    def add(self, op: Op, *inputs: str, params: Mapping[str, Array] | None = None) -> str:
        """A row for this node."""
        return self.builder.add(op, inputs, self.facts, params)

    def only_first_output(self) -> None:
        """Raise `Unsupported` where somebody reads another output."""
        extra = [name for name in self.facts.outputs[1:] if name in self.read]
        if extra:
            raise Unsupported(f"its further output {extra[0]!r} has no row")

    def require(self, name: str, *values: Any) -> None:
        """Raise `Unsupported` unless an attribute is left out or has one of the values."""
        value = self.get(name)
        if value is not None and value not in values:
            raise Unsupported(f"{name}={value} has no row")

    def axis(self, axis: int, rank: int) -> int:
        """An axis of a view, of one of the whole ONNX value. Raises `Unsupported` for the batch."""
        place = axis + rank if axis < 0 else axis - len(self.lead)
        if not 0 <= place < rank:
            batch = place == -1 and bool(self.lead)
            raise Unsupported("it works along the batch" if batch else f"axis {axis} is none")
        return place

    def whole(self, view: View) -> tuple[int, ...]:
        """The shape that the view's ONNX value has in the model."""
        return (*self.lead, *view.shape)

    def require_batch(self) -> None:
        """Raise `Unsupported` where the model has no batch, before an operator that wants one."""
        if not self.lead:
            raise Unsupported("it wants a batch along its first axis")


def per_place(array: Array, shape: tuple[int, ...]) -> tuple[Array, int] | None:
    """
    A constant beside a view of that shape as a vector along the one axis that it varies on.

    None where it varies on more of them, or changes the shape.
    """
    if array.size == 1:
        return np.full(shape[0] if shape else 1, array.reshape(-1)[0], np.float32), 0
    surplus = max(0, array.ndim - len(shape))
    if surplus > 1 or (surplus and array.shape[0] != 1):
        return None
    sides = array.shape[surplus:]
    whole = array.reshape((1,) * (len(shape) - len(sides)) + sides)
    if any(side not in (1, size) for side, size in zip(whole.shape, shape, strict=True)):
        return None
    varying = [axis for axis in range(whole.ndim) if np.ptp(whole, axis=axis).any()]
    if len(varying) > 1:
        return None
    axis = varying[0] if varying else 0
    line = np.moveaxis(whole, axis, 0).reshape(whole.shape[axis], -1)[:, 0]
    return np.broadcast_to(line, shape[axis]).astype(np.float32), axis


def along(step: Step, view: View, axis: int, op: Op, **params: Array) -> View:
    """An operator on the view whose maps are the axis."""
    front, back = step.builder.along(view, axis)
    made = step.builder.view(step.add(op, step.builder.tensor(front), params=params), front.shape)
    return made if front is view else made.transposed(back)


def epsilon(step: Step) -> float:
    """
    A normalization's epsilon, to six digits.

    That is all that a float32 variance keeps of it: exporters write 1.0000001e-05 for 1e-05.
    """
    return float(f"{float(step.get('epsilon', 1e-5)):.6g}")


def number(array: Array | None) -> float | None:
    """A constant of one number, as a decimal."""
    return None if array is None else round_float(float(array.reshape(-1)[0]))
