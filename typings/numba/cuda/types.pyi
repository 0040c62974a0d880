from numba.core.types import Float, Type

class Array(Type): ...
class BaseTuple(Type): ...

class UniTuple(BaseTuple):
    def __init__(self, dtype: Type, count: int) -> None: ...

void: Type
float32: Float
