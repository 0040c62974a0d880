"""64-bit integers with Python's operators, emitted as LLVM IR: addresses, offsets and counts."""

from dataclasses import dataclass

from llvmlite import ir

Value = ir.Value

I64 = ir.IntType(64)


@dataclass(frozen=True, slots=True)
class Int:
    """An int64 in the code that `builder` writes. Numbers beside it are constants."""

    builder: ir.IRBuilder
    value: Value

    def _with(self, operation: str, other: "Int | int", *, swapped: bool = False) -> "Int":
        operands = [self.value, raw(other)]
        if swapped:
            operands.reverse()
        return Int(self.builder, getattr(self.builder, operation)(*operands))

    def __add__(self, other: "Int | int") -> "Int":
        return self._with("add", other)

    __radd__ = __add__

    def __sub__(self, other: "Int | int") -> "Int":
        return self._with("sub", other)

    def __rsub__(self, other: int) -> "Int":
        return self._with("sub", other, swapped=True)

    def __mul__(self, other: "Int | int") -> "Int":
        return self._with("mul", other)

    __rmul__ = __mul__

    def __floordiv__(self, other: "Int | int") -> "Int":
        """The quotient of numbers that are not negative."""
        return self._with("udiv", other)

    def __and__(self, bits: int) -> "Int":
        return self._with("and_", bits)

    def __rshift__(self, places: int) -> "Int":
        """The quotient by a power of two, rounded down."""
        return self._with("ashr", places)

    def is_(self, relation: str, other: "Int | int") -> Value:
        """Whether `self relation other`, as an i1; `relation` is "<", "==" and so on, signed."""
        return self.builder.icmp_signed(relation, self.value, raw(other))

    def min(self, other: "Int | int") -> "Int":
        """The lesser of the two."""
        return self.where(self.is_("<", other), other)

    def max(self, other: "Int | int") -> "Int":
        """The greater of the two."""
        return self.where(self.is_(">", other), other)

    def where(self, condition: Value, other: "Int | int") -> "Int":
        """This where `condition` is true, else `other`."""
        return Int(self.builder, self.builder.select(condition, self.value, raw(other)))


def raw(number: "Int | int | Value") -> Value:
    """The ir.Value of an integer."""
    if isinstance(number, Int):
        return number.value
    return I64(number) if isinstance(number, int) else number
