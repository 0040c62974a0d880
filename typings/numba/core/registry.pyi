from collections.abc import Sequence

from llvmlite import ir
from numba.core.types import Type

class BaseCallConv:
    def get_function_type(self, restype: Type, argtypes: Sequence[Type]) -> ir.FunctionType: ...
    def call_function(
        self,
        builder: ir.IRBuilder,
        callee: ir.Function,
        resty: Type,
        argtys: Sequence[Type],
        args: Sequence[ir.Value],
    ) -> tuple[object, ir.Value]: ...

class TypingContext: ...

class TargetContext:
    call_conv: BaseCallConv
    def create_module(self, name: str) -> ir.Module: ...
    def get_dummy_value(self) -> ir.Constant: ...

class CPUTarget:
    typing_context: TypingContext
    target_context: TargetContext

cpu_target: CPUTarget
