"""What a kernel does to cells as it writes them: a sum, bounds, then an activation function."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Field
from cnndsl.ops.function_kind import read_call

ACCUMULATING = ("conv_direct",)
"""The algorithms that can add to what their result's memory holds."""


@dataclass(frozen=True, slots=True)
class Epilogue:
    """
    `min(max(cell, low), high)`, and then the function `activation` in place, if any.

    Before that, where it is `onto` what the result's memory holds, a cell is added to what is in
    its place. Only the algorithms that are `ACCUMULATING` can do so.
    """

    low: float = -math.inf
    high: float = math.inf
    activation: Kernel | None = None
    onto: bool = False

    @staticmethod
    def of(activation: str) -> Epilogue:
        """
        The epilogue of an elementwise activation function, written as an operator has it.

        >>> Epilogue.of("relu"), Epilogue.of("clip(-1,6)").high
        (Epilogue(low=0.0, high=inf, activation=None, onto=False), 6.0)
        """
        name, numbers = read_call(activation)
        match name:
            case "linear":
                return Epilogue()
            case "relu":
                return Epilogue(low=0.0)
            case "relu6":
                return Epilogue(0.0, 6.0)
            case "clip":
                low, high = numbers
                return Epilogue(low, high)
            case _:
                return Epilogue(activation=_function(name, *numbers))

    @property
    def fields(self) -> dict[str, Field]:
        """The fields `low`, `high` and `activation` of a kernel."""
        return {"low": self.low, "high": self.high, "activation": self.activation or 0}


def _function(name: str, *numbers: float) -> Kernel:
    return Kernel("activations", "activation", (name, *numbers))
