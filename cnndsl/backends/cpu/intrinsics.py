"""
Functions of kernels that emit LLVM IR in the place of a call of them.

To Numba they are intrinsics. A kernel that only hands on its arguments needs no compiler of Python:
it is run, once, with `Argument`s, and each function that it calls writes its code down.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from llvmlite import ir

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import I64


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """
    What a kernel's argument is while the kernel is written down: something to be handed on.

    Python that asks anything else of it raises `TypeError`: it means a number, which is not known.
    """

    builder: ir.IRBuilder
    value: ir.Value

    def __bool__(self) -> NoReturn:
        raise TypeError("an argument has no value while its kernel is written down")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("an argument has no value while its kernel is written down")


class Emitted:
    """A function that a kernel calls, made of one that emits code."""

    def __init__(self, emit: Callable[..., None], lanes: int) -> None:
        self._emit, self._lanes = emit, lanes

    def __call__(self, *arguments: Argument | int) -> None:
        """Write the code down: numbers beside arguments are constants."""
        builders = [argument.builder for argument in arguments if isinstance(argument, Argument)]
        if not builders:
            raise TypeError(f"{self._emit.__name__} is called by kernels only, with an argument")
        values = [x.value if isinstance(x, Argument) else I64(x) for x in arguments]
        self._emit(Code(builders[0], self._lanes), *values)

    @cached_property
    def _numba_type_(self) -> Any:
        """What Numba takes it for, which looks here."""
        # Imported here: Numba, which takes a while to be imported, has to be there already.
        from numba.core import types
        from numba.core.typing.templates import make_intrinsic_template

        names = list(inspect.signature(self._emit).parameters)[1:]

        def typing(_context: Any, *_arguments: Any) -> Any:
            def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
                self._emit(Code(builder, self._lanes), *values)
                return context.get_dummy_value()

            return types.void(*[types.int64] * len(names)), generate

        # Numba reads the number of arguments from the signature: one it cannot see in *arguments.
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in ("typing", *names)]
        define: Any = typing
        define.__signature__ = inspect.Signature(parameters)
        return types.Function(make_intrinsic_template(self, define, self._emit.__name__))


def emits(lanes: int) -> Callable[[Callable[..., None]], Emitted]:
    """
    Make a function that a kernel can call of one that emits code for vectors of `lanes`.

    The emitting function takes the code and int64 ir.Values, one a parameter.
    """
    return lambda emit: Emitted(emit, lanes)
