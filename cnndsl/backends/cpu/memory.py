"""What kernels do with memory outside vectors: fields, integers and floats at addresses, calls."""

from llvmlite import ir

from cnndsl.backends.cpu.vectors import I64, Code, Value, emits

SCALAR = 1


@emits(SCALAR, result="int64")
def load_int(code: Code, address: Value, index: Value) -> Value:
    """The int64 number `index` at `address`: a field of a kernel's row, an entry of a table."""
    b = code.builder
    return b.load(b.gep(b.inttoptr(address, I64.as_pointer()), [index]), align=8)


@emits(SCALAR)
def store_int(code: Code, address: Value, index: Value, value: Value) -> None:
    """Write an int64 as number `index` at `address`."""
    b = code.builder
    b.store(value, b.gep(b.inttoptr(address, I64.as_pointer()), [index]), align=8)


@emits(SCALAR, result="int64")
def quotient(code: Code, dividend: Value, divisor: Value) -> Value:
    """`dividend // divisor` of integers that are not negative, `divisor` not 0: raises nothing."""
    return code.builder.udiv(dividend, divisor)


@emits(SCALAR)
def call_activation(
    code: Code, function: Value, pointer: Value, rows: Value, count: Value, row_stride: Value
) -> None:
    """
    Call the activation kernel at the address `function`.

    It rewrites `rows` rows of `count` floats at the address `pointer`, `row_stride` floats apart.
    """
    kind = ir.FunctionType(ir.VoidType(), [I64] * 4)
    callee = code.builder.inttoptr(function, kind.as_pointer())
    code.builder.call(callee, [pointer, rows, count, row_stride])
