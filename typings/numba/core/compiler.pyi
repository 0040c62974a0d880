from collections.abc import Callable, Mapping, Sequence

from numba.core.codegen import CPUCodeLibrary
from numba.core.funcdesc import FunctionDescriptor
from numba.core.registry import TargetContext, TypingContext
from numba.core.types import Type

class Flags:
    error_model: str
    no_cpython_wrapper: bool
    no_cfunc_wrapper: bool
    no_compile: bool
    forceinline: bool

class CompileResult:
    library: CPUCodeLibrary
    fndesc: FunctionDescriptor

def compile_extra(
    typingctx: TypingContext,
    targetctx: TargetContext,
    func: Callable[..., object],
    args: Sequence[Type],
    return_type: Type,
    flags: Flags,
    locals: Mapping[str, Type],
) -> CompileResult: ...
