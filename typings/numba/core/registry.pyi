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
    def install_registry(self, registry: object) -> None: ...

class CPUTarget:
    def __init__(self, target_name: str) -> None: ...
    @property
    def typing_context(self) -> TypingContext: ...
    @property
    def target_context(self) -> TargetContext: ...

class CPUDispatcher:
    targetdescr: CPUTarget
