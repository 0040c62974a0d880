"""What goes into a network and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from cnndsl.errors import InputError
from cnndsl.ops.base import Best
from cnndsl.ops.input import Input
from cnndsl.types import Layout, TensorType, in_layout

Shape = tuple[int, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Output:
    """A result's type, and which of its numbers wins where the network classifies by it."""

    type: TensorType
    best: Best


@dataclass(frozen=True, slots=True)
class Signature:
    """
    Both ends of a network by the names of their rows, in the order in which callers see them.

    Images come in the layout of their own input row; those that are results go in the first's.
    """

    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]

    @property
    def layout(self) -> Layout:
        """The layout of images that are results."""
        return next(iter(self.inputs.values())).layout

    @property
    def input_shapes(self) -> dict[str, Shape]:
        """One image of each input, in its layout."""
        return {name: op.array_shape for name, op in self.inputs.items()}

    @property
    def output_shapes(self) -> dict[str, Shape]:
        """One image's results, in their layout."""
        return {name: in_layout(y.type.shape, self.layout) for name, y in self.outputs.items()}

    @property
    def input(self) -> Input:
        """The only input. Raises `InputError` where there are several."""
        return only(self.inputs, "inputs")

    @property
    def output(self) -> Output:
        """The only output. Raises `InputError` where there are several."""
        return only(self.outputs, "outputs")


def only(ends: Mapping[str, T], called: str) -> T:
    """What is at the only one of a network's ends. Raises `InputError` where there are several."""
    if len(ends) != 1:
        raise InputError(
            f"the network has {len(ends)} {called}: {', '.join(ends)}",
            code="E604",
            fixes=[f"model.{called}, or model.signature.{called}, tells them apart by name"],
        )
    return next(iter(ends.values()))
