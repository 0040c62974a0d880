"""Activation functions as an operator."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.function_kind import FunctionKind, format_number, read_call
from cnndsl.ops.functions import FUNCTIONS, Function
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Activation(Op):
    """
    A function of each cell or, softmax and log_softmax, of each pixel's maps.

    It stands as a row of its own or in another row's `activation` cell.

    >>> Activation("clip(0,6)").name, Activation("clip(0,6)").numbers
    ('clip', (0.0, 6.0))
    """

    row_type = "activation"
    summary = "a function of each cell"
    reads = "any"

    activation: str = attribute(
        FunctionKind(), "the function's name, with its numbers: relu, leaky_relu(0.1), clip(0,6)"
    )

    @property
    def name(self) -> str:
        """The function's name without its numbers."""
        return read_call(self.activation)[0]

    @property
    def numbers(self) -> tuple[float, ...]:
        """The function's numbers, defaults included."""
        return read_call(self.activation)[1]

    @property
    def function(self) -> Function:
        """The function itself."""
        return FUNCTIONS[self.name]

    def infer(self, x: TensorType) -> TensorType:
        return x

    def passes_on(self, x: TensorType) -> bool:
        return self.name == "linear"

    @property
    def in_place(self) -> bool:
        return self.function.elementwise

    def evaluate(self, x: Array) -> Array:
        return self.function.evaluate(x, *self.numbers)

    def formula(self, x: TensorType) -> str:
        names = [constant.name for constant in self.function.constants]
        values = dict(zip(names, map(format_number, self.numbers), strict=True))
        return f"y = {self.function.formula.format(**values)}"
