"""What a kernel does to a cell before it writes it: an activation function."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.function_kind import read_call


@dataclass(frozen=True, slots=True)
class Epilogue:
    """
    An activation function as kernels know it.

    The name `activation` is a parameter of a kernel's factory, so that only this function is
    compiled into it; the numbers `alpha` and `beta` are fields of its shape, 0 where the function
    has none.
    """

    activation: str = "linear"
    alpha: float = 0.0
    beta: float = 0.0

    @staticmethod
    def of(function: str) -> Epilogue:
        """
        The epilogue of a function of one cell that is written as an operator has it.

        >>> Epilogue.of("relu6") == Epilogue.of("clip(0,6)") == Epilogue("clip", 0.0, 6.0)
        True
        """
        name, numbers = read_call(function)
        if name == "relu6":
            return Epilogue("clip", 0.0, 6.0)
        alpha, beta = (*numbers, 0.0, 0.0)[:2]
        return Epilogue(name, alpha, beta)
