"""
Vectors of float32, written with Python's operators and emitted as LLVM IR.

Numba's own loops are vectorised by guesswork. Here a kernel says which values live in registers.
Arithmetic is exactly rounded and never reordered, so that the bits of a result depend on the
formula alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from cnndsl.backends.cpu.control import I32, Control, Index
from cnndsl.backends.cpu.integers import Value, raw

Number = float | int
FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()


@dataclass(frozen=True, slots=True)
class Mask:
    """One truth value a lane."""

    code: "Registers"
    value: Value

    def select(self, chosen: "Vector | Number", other: "Vector | Number") -> "Vector":
        """`chosen` in the lanes that are true, `other` in the rest."""
        code = self.code
        both = code.vector(chosen).value, code.vector(other).value
        return Vector(code, code.builder.select(self.value, *both))


@dataclass(frozen=True, slots=True)
class Vector:
    """A register of `code.lanes` float32. Numbers beside it stand for the same number a lane."""

    code: "Registers"
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
            upper = b.shuffle_vector(folded.value, folded.value, lane_numbers(order))
            folded = combine(folded, Vector(self.code, upper))
            half //= 2
        return b.extract_element(folded.value, I32(0))


@dataclass(frozen=True, slots=True)
class Registers(Control):
    """Code while it is written, as far as it is integers, loops and vectors of `lanes` float32."""

    lanes: int

    @property
    def type(self) -> ir.VectorType:
        """The LLVM type of a vector."""
        return ir.VectorType(FLOAT, self.lanes)

    def vector(self, value: "Vector | Number | Value") -> Vector:
        """A vector: itself, or a number or a float32 ir.Value in every lane."""
        if isinstance(value, Vector):
            return value
        if isinstance(value, (int, float)):
            return Vector(self, _same(self.type, float(value)))
        undefined = ir.Constant(self.type, ir.Undefined)
        first = self.builder.insert_element(undefined, value, I32(0))
        lanes = lane_numbers([0] * self.lanes)
        return Vector(self, self.builder.shuffle_vector(first, undefined, lanes))

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
        limit = self.builder.shuffle_vector(first, undefined, lane_numbers([0] * self.lanes))
        return Mask(self, self.builder.icmp_signed("<", lane_numbers(range(self.lanes)), limit))

    def call(self, name: str, *operands: "Vector | Number") -> Vector:
        """The LLVM intrinsic `name` of vectors, as "llvm.floor"."""
        kind = ir.FunctionType(self.type, [self.type] * len(operands))
        function = self.declare(kind, f"{name}.v{self.lanes}f32")
        return Vector(self, self.builder.call(function, [self.vector(o).value for o in operands]))

    def pick(self, a: Vector, b: Vector, lanes: Sequence[int]) -> Vector:
        """The lanes of that number, those of `b` counted on from those of `a`."""
        return Vector(self, self.builder.shuffle_vector(a.value, b.value, lane_numbers(lanes)))

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

    def declare(self, kind: ir.FunctionType, name: str) -> ir.Function:
        """The function `name` of the module, such as an intrinsic of LLVM's."""
        module = self.builder.module
        return module.globals.get(name) or ir.Function(module, kind, name)


def _same(kind: ir.VectorType, number: Number) -> Value:
    return ir.Constant(kind, [number] * kind.count)


def lane_numbers(numbers: Sequence[int]) -> Value:
    """A constant vector of int32: how LLVM is told which lanes are meant."""
    return ir.Constant(ir.VectorType(I32, len(numbers)), list(numbers))
