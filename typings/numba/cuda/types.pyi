from numba.core.types import Float as Float
from numba.core.types import Integer as Integer
from numba.core.types import Type

class Array(Type): ...
class BaseTuple(Type): ...

class UniTuple(BaseTuple):
    def __init__(self, dtype: Type, count: int) -> None: ...

void: Type
int32: Integer
float32: Float
