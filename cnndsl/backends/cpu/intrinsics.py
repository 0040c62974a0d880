"""Functions that a kernel's Numba code calls, made of functions that emit LLVM IR in its place."""

import inspect
from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from cnndsl.backends.cpu.code import Code

_RESULTS = {"void": types.void, "int64": types.int64, "float32": types.float32}


def emits(lanes: int, result: str = "void") -> Callable[[Callable[..., Any]], Any]:
    """
    Make a function that Numba code can call of one that emits code for vectors of `lanes`.

    The emitting function takes the code and int64 ir.Values, one a parameter; it returns nothing,
    or the ir.Value of `result`: "int64" or "float32".
    """

    def decorate(emit: Callable[..., Any]) -> Any:
        names = list(inspect.signature(emit).parameters)[1:]

        def typing(_context: Any, *_arguments: Any) -> Any:
            signature = _RESULTS[result](*[types.int64] * len(names))

            def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
                returned = emit(Code(builder, lanes), *values)
                return context.get_dummy_value() if result == "void" else returned

            return signature, generate

        # Numba reads the number of arguments from the signature: one it cannot see in *arguments.
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in ("typing", *names)]
        define: Any = typing
        define.__signature__ = inspect.Signature(parameters)
        define.__name__, define.__doc__ = emit.__name__, emit.__doc__
        return intrinsic(define)

    return decorate
