"""Weights of few bits become vectors of float32, two at a time."""

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.control import I32
from cnndsl.backends.cpu.integers import Value
from cnndsl.backends.cpu.vectors import Vector

_I8 = ir.IntType(8)


@dataclass(frozen=True, slots=True)
class Widening:
    """How two vectors are loaded from a pointer, and how many bytes they take a lane."""

    bytes_of_lane: int
    load: Callable[[Code, Value], list[Vector]]


def _bfloat16(code: Code, pointer: Value) -> list[Vector]:
    """Pairs in 32 bits: the first vector in the lower halves, the second in the upper ones."""
    kind = ir.VectorType(I32, code.lanes)
    pairs = _load(code, pointer, kind)
    lower = code.builder.shl(pairs, _same(kind, 16))
    upper = code.builder.and_(pairs, _same(kind, 0xFFFF0000))
    return [Vector(code, code.builder.bitcast(half, code.type)) for half in (lower, upper)]


def _int8(code: Code, pointer: Value) -> list[Vector]:
    """The lanes of the first vector, then those of the second."""
    vectors: list[Vector] = []
    start = code.builder.bitcast(pointer, _I8.as_pointer())
    for first in (0, code.lanes):
        place = code.builder.gep(start, [I32(first)])
        small = _load(code, place, ir.VectorType(_I8, code.lanes))
        whole = code.builder.sext(small, ir.VectorType(I32, code.lanes))
        vectors.append(Vector(code, code.builder.sitofp(whole, code.type)))
    return vectors


WIDENINGS = {"bfloat16": Widening(4, _bfloat16), "int8": Widening(2, _int8)}


def _load(code: Code, pointer: Value, kind: ir.VectorType) -> Value:
    return code.builder.load(code.builder.bitcast(pointer, kind.as_pointer()), align=1)


def _same(kind: ir.VectorType, number: int) -> Value:
    return ir.Constant(kind, [number] * kind.count)
