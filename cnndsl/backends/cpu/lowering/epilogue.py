"""What a kernel does to cells as it writes them: a lower bound, then an activation function."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Field


@dataclass(frozen=True, slots=True)
class Epilogue:
    """`max(cell, low)`, and then the function that `activation` computes in place, if any."""

    low: float = -math.inf
    activation: Kernel | None = None

    @staticmethod
    def of(activation: str) -> Epilogue:
        """
        The epilogue of an elementwise activation function.

        >>> Epilogue.of("relu").low
        0.0
        """
        if activation == "linear":
            return Epilogue()
        if activation == "relu":
            return Epilogue(low=0.0)
        return Epilogue(activation=Kernel("activations", activation))

    @property
    def fields(self) -> dict[str, Field]:
        """The fields `low` and `activation` of a kernel."""
        return {"low": self.low, "activation": self.activation or 0}
