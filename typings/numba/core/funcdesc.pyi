from numba.core.types import Type

class FunctionDescriptor:
    restype: Type
    argtypes: tuple[Type, ...]
    llvm_func_name: str
