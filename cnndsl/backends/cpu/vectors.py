"""
Vectors of float32, written with Python's operators and emitted as LLVM IR inside a Numba kernel.

Numba's own loops are vectorised by guesswork. Here a kernel says which values live in registers:

    @emits(lanes=8)
    def double(code, x, count):
        p = code.pointer(x)
        with code.each(0, count, 8) as i:
            code.store(code.load(p, i) * 2.0, p, i)

and Numba code calls `double(address, count)` with 64-bit integers. Nothing emitted here allocates,
raises or knows of Python objects. Arithmetic is exactly rounded and never reordered, so that the
bits of a result depend on the formula alone.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cnndsl.backends.cpu.control import I32, Control, Index
from cnndsl.backends.cpu.integers import I64, Int, Value, raw

Number = float | int
FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()

_RESULTS = {"void": types.void, "int64": types.int64, "float32": types.float32}


@dataclass(frozen=True, slots=True)
class Mask:
    """One truth value a lane."""

    code: "Code"
    value: Value

    def select(self, chosen: "Vector | Number", other: "Vector | Number") -> "Vector":
        """`chosen` in the lanes that are true, `other` in the rest."""
        code = self.code
        both = code.vector(chosen).value, code.vector(other).value
        return Vector(code, code.builder.select(self.value, *both))


@dataclass(frozen=True, slots=True)
class Vector:
    """A register of `code.lanes` float32. Numbers beside it stand for the same number a lane."""

    code: "Code"
    value: Value

    def _with(self, operation: str, other: "Vector | Number", *, swapped: bool = False) -> "Vector":
        operands = [self.value, self.code.vector(other).value]
        if swapped:
            operands.reverse()
        return Vector(self.code, getattr(self.code.builder, operation)(*operands))

    def __add__(self, other: "Vector | Number") -> "Vector":
        return self._with("fadd", other)

    __radd__ = __add__

    def __sub__(self, other: "Vector | Number") -> "Vector":
        return self._with("fsub", other)

    def __rsub__(self, other: Number) -> "Vector":
        return self._with("fsub", other, swapped=True)

    def __mul__(self, other: "Vector | Number") -> "Vector":
        return self._with("fmul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: "Vector | Number") -> "Vector":
        return self._with("fdiv", other)

    def __rtruediv__(self, other: Number) -> "Vector":
        return self._with("fdiv", other, swapped=True)

    def __neg__(self) -> "Vector":
        return Vector(self.code, self.code.builder.fneg(self.value))

    def _compare(self, relation: str, other: "Vector | Number") -> Mask:
        pair = self.value, self.code.vector(other).value
        return Mask(self.code, self.code.builder.fcmp_ordered(relation, *pair))

    def __lt__(self, other: "Vector | Number") -> Mask:
        return self._compare("<", other)

    def __gt__(self, other: "Vector | Number") -> Mask:
        return self._compare(">", other)

    def __le__(self, other: "Vector | Number") -> Mask:
        return self._compare("<=", other)

    def __ge__(self, other: "Vector | Number") -> Mask:
        return self._compare(">=", other)

    def at_least(self, low: "Vector | Number") -> "Vector":
        """The greater of this and `low`; NaN where this is NaN, unlike llvm.maxnum."""
        low = self.code.vector(low)
        return (low > self).select(low, self)

    def at_most(self, high: "Vector | Number") -> "Vector":
        """The lesser of this and `high`; NaN where this is NaN."""
        high = self.code.vector(high)
        return (high < self).select(high, self)

    def sqrt(self) -> "Vector":
        """The square root."""
        return self.code.call("llvm.sqrt", self)

    def abs(self) -> "Vector":
        """The absolute value."""
        return self.code.call("llvm.fabs", self)

    def rounded(self) -> "Vector":
        """The nearest whole number, ties to even."""
        return self.code.call("llvm.rint", self)

    def fma(self, factor: "Vector | Number", addend: "Vector | Number") -> "Vector":
        """This times `factor` plus `addend`, rounded once where the machine can."""
        return self.code.call("llvm.fmuladd", self, factor, addend)

    def power_of_two(self, more: int = 0) -> "Vector":
        """
        Two to the power of this plus `more`, a whole number of -126 to 127.

        -127 gives 0, 128 infinity, and NaN any float.
        """
        b, integers = self.code.builder, ir.VectorType(I32, self.code.lanes)
        # A float of 2^23 or more has the ones of its number in its last bits.
        biased = self + float(3 * 2**22 + 127 + more)
        bits = b.shl(b.bitcast(biased.value, integers), _same(integers, 23))
        return Vector(self.code, b.bitcast(bits, self.value.type))

    def sum(self) -> Value:
        """The float32 sum of all lanes: halves are added until one lane is left."""
        return self._fold(lambda a, b: a + b)

    def maximum(self) -> Value:
        """The float32 maximum of all lanes, none of which is NaN."""
        return self._fold(lambda a, b: a.at_least(b))

    def _fold(self, combine: "Callable[[Vector, Vector], Vector]") -> Value:
        b, folded, half = self.code.builder, self, self.code.lanes // 2
        while half:
            order = [lane + half if lane < half else lane for lane in range(self.code.lanes)]
            upper = b.shuffle_vector(folded.value, folded.value, _lanes(order))
            folded = combine(folded, Vector(self.code, upper))
            half //= 2
        return b.extract_element(folded.value, I32(0))


@dataclass(frozen=True, slots=True)
class Code(Control):
    """The code of one kernel step while it is written. Addresses are bytes, offsets elements."""

    lanes: int

    @property
    def type(self) -> ir.VectorType:
        """The LLVM type of a vector."""
        return ir.VectorType(FLOAT, self.lanes)

    # Vectors without memory ---------------------------------------------------------------------

    def vector(self, value: "Vector | Number | Value") -> Vector:
        """A vector: itself, or a number or a float32 ir.Value in every lane."""
        if isinstance(value, Vector):
            return value
        if isinstance(value, (int, float)):
            return Vector(self, _same(self.type, float(value)))
        undefined = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(undefined, value, I32(0))
        return Vector(self, self.builder.shuffle_vector(first, undefined, _lanes([0] * self.lanes)))

    def of_lanes(self, numbers: Sequence[Value]) -> Vector:
        """The vector of float32 ir.Values, one a lane."""
        vector: Value = ir.Constant(self.type, ir.Undefined)
        for lane, number in enumerate(numbers):
            vector = self.builder.insert_element(vector, number, I32(lane))
        return Vector(self, vector)

    def undefined(self) -> Vector:
        """A vector of whatever floats."""
        return Vector(self, ir.Constant(self.type, ir.Undefined))

    def float_field(self, bits: Index) -> Value:
        """The float32 of a float field: the bits of a float64 in an int64."""
        return self.builder.fptrunc(self.builder.bitcast(raw(bits), DOUBLE), FLOAT)

    def first_lanes(self, count: Index) -> Mask:
        """True in the first `count` lanes."""
        integers = ir.VectorType(I32, self.lanes)
        undefined = ir.Constant(integers, ir.Undefined)
        narrow = self.builder.trunc(raw(count), I32)
        first = self.builder.insert_element(undefined, narrow, I32(0))
        limit = self.builder.shuffle_vector(first, undefined, _lanes([0] * self.lanes))
        return Mask(self, self.builder.icmp_signed("<", _lanes(range(self.lanes)), limit))

    def call(self, name: str, *operands: "Vector | Number") -> Vector:
        """The LLVM intrinsic `name` of vectors, as "llvm.floor"."""
        kind = ir.FunctionType(self.type, [self.type] * len(operands))
        function = self._declare(kind, f"{name}.v{self.lanes}f32")
        return Vector(self, self.builder.call(function, [self.vector(o).value for o in operands]))

    def pick(self, a: Vector, b: Vector, lanes: Sequence[int]) -> Vector:
        """The lanes of that number, those of `b` counted on from those of `a`."""
        return Vector(self, self.builder.shuffle_vector(a.value, b.value, _lanes(lanes)))

    def sums(self, vectors: Sequence[Vector]) -> Vector:
        """
        The sum of each vector's lanes, in the lane of the vector's number.

        `vectors` are as many as lanes. Each sum is added up as in `Vector.sum`.
        """
        if len(vectors) == 1:
            return vectors[0]
        each = len(vectors) // 2  # the lanes that one sum has after this step
        lanes = [i for i in range(2 * self.lanes) if i % (2 * each) < each]
        merged: list[Vector] = []
        for a, b in zip(vectors[::2], vectors[1::2], strict=True):
            halves = [self.pick(a, b, [i + shift for i in lanes]) for shift in (0, each)]
            merged.append(halves[0] + halves[1])
        return self.sums(merged)

    # Memory -------------------------------------------------------------------------------------

    def pointer(self, address: Index) -> Value:
        """The float pointer of an address."""
        return self.builder.inttoptr(raw(address), FLOAT.as_pointer())

    def address(self, pointer: Value) -> Int:
        """The address of a pointer."""
        return Int(self.builder, self.builder.ptrtoint(pointer, I64))

    def at(self, pointer: Value, offset: Index) -> Value:
        """The pointer `offset` floats on."""
        if isinstance(offset, int) and offset == 0:
            return pointer
        return self.builder.gep(pointer, [raw(offset)])

    def load(self, pointer: Value, offset: Index = 0) -> Vector:
        """The vector at `pointer + offset`, aligned as a float is."""
        place = self._vector_place(pointer, offset)
        return Vector(self, self.builder.load(place, align=4))

    def store(self, vector: Vector, pointer: Value, offset: Index = 0) -> None:
        """Write `vector` to `pointer + offset`."""
        self.builder.store(vector.value, self._vector_place(pointer, offset), align=4)

    def load_float(self, pointer: Value, offset: Index = 0) -> Value:
        """The float32 at `pointer + offset`."""
        return self.builder.load(self.at(pointer, offset), align=4)

    def store_float(self, value: Value, pointer: Value, offset: Index = 0) -> None:
        """Write the float32 `value` to `pointer + offset`."""
        self.builder.store(value, self.at(pointer, offset), align=4)

    def broadcast(self, pointer: Value, offset: Index = 0) -> Vector:
        """The float at `pointer + offset`, in every lane."""
        return self.vector(self.load_float(pointer, offset))

    def load_first(
        self, pointer: Value, offset: Index, lanes: Mask, fill: "Vector | Number" = 0.0
    ) -> Vector:
        """The vector at `pointer + offset` where `lanes` is true, else `fill`: reads no further."""
        place = self._vector_place(pointer, offset)
        kind = ir.FunctionType(self.type, [place.type, I32, lanes.value.type, self.type])
        function = self._declare(kind, f"llvm.masked.load.v{self.lanes}f32.p0")
        operands = [place, I32(4), lanes.value, self.vector(fill).value]
        return Vector(self, self.builder.call(function, operands))

    def store_first(self, vector: Vector, pointer: Value, offset: Index, count: Index) -> None:
        """Write the first `count` lanes (0 to all) to `pointer + offset`, and nothing beyond."""
        self.store_first_of([vector], [self.at(pointer, offset)], count)

    def store_first_of(
        self, vectors: Sequence[Vector], places: Sequence[Value], count: Index
    ) -> None:
        """
        Write the first `count` lanes (0 to all) of each vector to its place, and nothing beyond.

        In pieces of a power of two: a masked store costs some AMD cores a dozen cycles.
        """
        whole = self.builder.icmp_signed("==", raw(count), I64(self.lanes))
        with self.builder.if_else(whole) as (then, otherwise):
            with then:
                for vector, place in zip(vectors, places, strict=True):
                    self.store(vector, place)
            with otherwise:
                self._store_pieces([v.value for v in vectors], list(places), raw(count))

    def prefetch(self, pointer: Value, offset: Index = 0) -> None:
        """Ask for the cache line of `pointer + offset`, to be read soon. Any address will do."""
        place = self.builder.bitcast(self.at(pointer, offset), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [place.type, I32, I32, I32])
        self.builder.call(self._declare(kind, "llvm.prefetch.p0"), [place, I32(0), I32(3), I32(1)])

    # Functions ----------------------------------------------------------------------------------

    def call_emitted(self, emit: Callable[..., None], *arguments: Index) -> None:
        """
        Call the function whose code `emit(code, *arguments)` writes, from one place for all calls.

        Its arguments are int64, which it takes as Ints.
        """
        module, name = self.builder.module, f"{emit.__module__}.{emit.__qualname__}"
        function = module.globals.get(name)
        if function is None:
            kind = ir.FunctionType(ir.VoidType(), [I64] * len(arguments))
            function = ir.Function(module, kind, name)
            function.linkage = "internal"
            code = Code(ir.IRBuilder(function.append_basic_block("entry")), self.lanes)
            emit(code, *[Int(code.builder, argument) for argument in function.args])
            code.builder.ret_void()
        self.builder.call(function, [raw(argument) for argument in arguments])

    def _declare(self, kind: ir.FunctionType, name: str) -> ir.Function:
        return cgutils.get_or_insert_function(self.builder.module, kind, name)

    def _vector_place(self, pointer: Value, offset: Index) -> Value:
        return self.builder.bitcast(self.at(pointer, offset), self.type.as_pointer())

    def _store_pieces(self, rests: list[Value], places: list[Value], count: Value) -> None:
        b, half = self.builder, self.lanes // 2
        while half:
            parts = [b.shuffle_vector(rest, rest, _lanes(range(half))) for rest in rests]
            uppers = [b.shuffle_vector(rest, rest, _lanes(range(half, 2 * half))) for rest in rests]
            wanted = b.icmp_signed("!=", b.and_(count, I64(half)), I64(0))
            with b.if_then(wanted):
                for part, place in zip(parts, places, strict=True):
                    b.store(part, b.bitcast(place, part.type.as_pointer()), align=4)
            step = b.select(wanted, I64(half), I64(0))
            rests = [b.select(wanted, *pair) for pair in zip(uppers, parts, strict=True)]
            places = [b.gep(place, [step]) for place in places]
            half //= 2


def emits(lanes: int, result: str = "void") -> Callable[[Callable[..., Any]], Any]:
    """
    Make a function that Numba code can call of one that emits code for vectors of `lanes`.

    The emitting function takes the code and int64 ir.Values, one a parameter; it returns nothing,
    or the ir.Value of `result`: "int64" or "float32".
    """

    def decorate(emit: Callable[..., Any]) -> Any:
        names = list(inspect.signature(emit).parameters)[1:]

        def typing(_context: Any, *_arguments: Any) -> Any:
            signature = _RESULTS[result](*[types.int64] * len(names))

            def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
                returned = emit(Code(builder, lanes), *values)
                return context.get_dummy_value() if result == "void" else returned

            return signature, generate

        # Numba reads the number of arguments from the signature: one it cannot see in *arguments.
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in ("typing", *names)]
        define: Any = typing
        define.__signature__ = inspect.Signature(parameters)
        define.__name__, define.__doc__ = emit.__name__, emit.__doc__
        return intrinsic(define)

    return decorate


def _same(kind: ir.VectorType, number: Number) -> Value:
    return ir.Constant(kind, [number] * kind.count)


def _lanes(numbers: Sequence[int]) -> Value:
    return ir.Constant(ir.VectorType(I32, len(numbers)), list(numbers))
