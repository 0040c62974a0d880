"""What kernels do with memory outside vectors: fields, integers and floats at addresses, calls."""

from typing import Any, TypeVar

from llvmlite import ir

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.control import Index
from cnndsl.backends.cpu.integers import I64, Int, Value, raw

Row = TypeVar("Row", bound=tuple[Any, ...])

SCALAR = 1


def read_fields(code: Code, row: Index, kind: type[Row]) -> Row:
    """
    The fields of the kernel's row at the address `row`, as Ints in the NamedTuple `kind`.

    They are declared constant, so that no store stands between a loop and its bounds.
    """
    fields: Any = kind
    return fields(*[constant(code, row, i) for i in range(len(fields._fields))])


def constant(code: Code, table: Index, index: Index) -> Int:
    """Entry `index` of a table of int64 that nothing changes while the kernel runs."""
    number = code.builder.load(_place(code, table, index), align=8)
    number.set_metadata("invariant.load", code.builder.module.add_metadata([]))
    return Int(code.builder, number)


def entry(code: Code, table: Index, index: Index) -> Int:
    """Entry `index` of a table of int64."""
    return Int(code.builder, code.builder.load(_place(code, table, index), align=8))


def set_entry(code: Code, table: Index, index: Index, value: Index) -> None:
    """Write entry `index` of a table of int64."""
    code.builder.store(raw(value), _place(code, table, index), align=8)


def _place(code: Code, table: Index, index: Index) -> Value:
    start = code.builder.inttoptr(raw(table), I64.as_pointer())
    return code.builder.gep(start, [raw(index)])


def call(code: Code, function: Index, *arguments: Index) -> None:
    """
    Call the function of int64 at the address `function`.

    An activation function takes the address of floats, the number of rows, the floats in each and
    the floats from one row to the next, and rewrites them.
    """
    kind = ir.FunctionType(ir.VoidType(), [I64] * len(arguments))
    callee = code.builder.inttoptr(raw(function), kind.as_pointer())
    code.builder.call(callee, [raw(argument) for argument in arguments])
