"""
The code of a kernel's step while it is written: vectors, and the memory that they come from.

    @emits(lanes=8)
    def double(code, x, count):
        p = code.pointer(x)
        with code.each(0, count, 8) as i:
            code.store(code.load(p, i) * 2.0, p, i)

Nothing emitted here allocates, raises or knows of Python objects.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from cnndsl.backends.cpu.control import I32, Index
from cnndsl.backends.cpu.integers import I64, Int, Value, raw
from cnndsl.backends.cpu.vectors import FLOAT, Mask, Number, Registers, Vector, lane_numbers


@dataclass(frozen=True, slots=True)
class Code(Registers):
    """The code of one kernel step while it is written. Addresses are bytes, offsets elements."""

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
        self, pointer: Value, offset: Index, lanes: Mask, fill: Vector | Number = 0.0
    ) -> Vector:
        """The vector at `pointer + offset` where `lanes` is true, else `fill`: reads no further."""
        place = self._vector_place(pointer, offset)
        kind = ir.FunctionType(self.type, [place.type, I32, lanes.value.type, self.type])
        function = self.declare(kind, f"llvm.masked.load.v{self.lanes}f32.p0")
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
        self.builder.call(self.declare(kind, "llvm.prefetch.p0"), [place, I32(0), I32(3), I32(1)])

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

    def _vector_place(self, pointer: Value, offset: Index) -> Value:
        return self.builder.bitcast(self.at(pointer, offset), self.type.as_pointer())

    def _store_pieces(self, rests: list[Value], places: list[Value], count: Value) -> None:
        b, half = self.builder, self.lanes // 2
        while half:
            parts = [b.shuffle_vector(rest, rest, lane_numbers(range(half))) for rest in rests]
            uppers = [
                b.shuffle_vector(rest, rest, lane_numbers(range(half, 2 * half))) for rest in rests
            ]
            wanted = b.icmp_signed("!=", b.and_(count, I64(half)), I64(0))
            with b.if_then(wanted):
                for part, place in zip(parts, places, strict=True):
                    b.store(part, b.bitcast(place, part.type.as_pointer()), align=4)
            step = b.select(wanted, I64(half), I64(0))
            rests = [b.select(wanted, *pair) for pair in zip(uppers, parts, strict=True)]
            places = [b.gep(place, [step]) for place in places]
            half //= 2
