from typing import overload

from numba.core.typing import Signature

class Type:
    def __call__(self, *args: Type) -> Signature: ...

class Integer(Type):
    @overload
    def __call__(self, value: float, /) -> int: ...
    @overload
    def __call__(self, *args: Type) -> Signature: ...

class Float(Type):
    @overload
    def __call__(self, value: float, /) -> float: ...
    @overload
    def __call__(self, *args: Type) -> Signature: ...

class CPointer(Type):
    def __init__(self, pointee: Type) -> None: ...

class Function(Type):
    def __init__(self, template: type) -> None: ...

class NamedTuple(Type):
    def __init__(self, types: tuple[Type, ...], cls: type[tuple[object, ...]]) -> None: ...

void: Type
int32: Integer
int64: Integer
uint32: Integer
float16: Float
float32: Float
