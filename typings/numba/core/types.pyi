from numba.core.typing import Signature

class Type:
    def __call__(self, *args: Type) -> Signature: ...

void: Type
int64: Type
float32: Type
