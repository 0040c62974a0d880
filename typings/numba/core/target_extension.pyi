from contextlib import AbstractContextManager

class CPU: ...

target_registry: dict[str, type[CPU]]
dispatcher_registry: dict[type[CPU], type]
jit_registry: dict[type[CPU], object]

def target_override(name: str) -> AbstractContextManager[None]: ...
