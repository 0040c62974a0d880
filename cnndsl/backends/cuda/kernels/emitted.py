"""The operations of `Code` as LLVM IR and PTX. Their meaning says `code.py`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.cuda import types
from numba.cuda.extending import intrinsic

from cnndsl.backends.cuda.shapes.tensor_core import Format, Instruction

FLOAT, I32, I64, VOID = ir.FloatType(), ir.IntType(32), ir.IntType(64), ir.VoidType()
SHARED = 3  # the address space of shared memory

_TOGETHER = ("convergent",)
"""Of instructions of whole warps: the optimiser may not move them to where fewer lanes arrive."""

_ROUNDED = {
    "tf32": "cvt.rna.tf32.f32 $0, $1;",
    "float16": "{ .reg .b16 low, high; cvt.rn.f16.f32 low, $1; cvt.rn.f16.f32 high, $2; "
    "mov.b32 $0, {low, high}; }",
    "bfloat16": "cvt.rn.bf16x2.f32 $0, $2, $1;",
}
_UNPACKED = {
    "float16": "{ .reg .b16 low, high; mov.b32 {low, high}, $2; cvt.f32.f16 $0, low; "
    "cvt.f32.f16 $1, high; }",
    "bfloat16": "{ shl.b32 $0, $2, 16; and.b32 $1, $2, 0xFFFF0000; }",
}
_PTX_FORMATS = {"tf32": "tf32", "float16": "f16", "bfloat16": "bf16"}


def emitted(results: int) -> Callable[[Callable[..., Any]], Any]:
    """`emits` for the compiler."""

    def decorate(emit: Callable[..., Any]) -> Any:
        def define(_context: Any, *arguments: Any) -> Any:
            result = types.UniTuple(types.float32, results) if results else types.void
            return result(*arguments), generate

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            kinds = zip(signature.args, values, strict=True)
            operands = [_operand(context, builder, kind, value) for kind, value in kinds]
            numbers = emit(Emitter(builder), *operands)
            if not results:
                return context.get_dummy_value()
            return context.make_tuple(builder, signature.return_type, numbers)

        # Numba reads the number of arguments from the signature: one it cannot see in *arguments.
        names = list(inspect.signature(emit).parameters)[1:]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, kind) for name in ["_context", *names]]
        vars(define)["__signature__"] = inspect.Signature(parameters)
        return intrinsic(define)

    return decorate


def _operand(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """An argument as emitting functions know it: pointers, lists, 32-bit integers, float32."""
    if isinstance(kind, types.Array):
        return context.make_array(kind)(context, builder, value=value).data
    if isinstance(kind, types.BaseTuple):
        return cgutils.unpack_tuple(builder, value)
    if isinstance(kind, types.Integer):
        return context.cast(builder, value, kind, types.int32)
    return value


@dataclass(frozen=True, slots=True)
class Emitter:
    """The operations, written behind what `builder` has."""

    builder: ir.IRBuilder

    def zero(self) -> Any:
        return FLOAT(0.0)

    def load(self, memory: Any, start: Any, offset: int, width: int) -> list[Any]:
        return self._load(self._place(memory, start, offset), width)

    def matrices(self, memory: Any, start: Any, offset: int, count: int) -> list[Any]:
        b = self.builder
        place = b.addrspacecast(self._place(memory, start, offset), FLOAT.as_pointer(SHARED))
        registers = ", ".join(f"${i}" for i in range(count))
        text = f"ldmatrix.sync.aligned.m8n8.x{count}.shared.b16 {{{registers}}}, [${count}];"
        constraints = ",".join(["=f"] * count + ["r", "~{memory}"])
        result = FLOAT if count == 1 else ir.LiteralStructType([FLOAT] * count)
        assembly = ir.InlineAsm(ir.FunctionType(result, [I32]), text, constraints, True)
        loaded = b.call(assembly, [b.ptrtoint(place, I32)], attrs=_TOGETHER)
        return [loaded] if count == 1 else [b.extract_value(loaded, i) for i in range(count)]

    def load_if(self, memory: Any, start: Any, width: int, valid: Any) -> list[Any]:
        # A place that is surely there is read in its stead, rather than jumped around.
        b = self.builder
        loaded = self._load(self._place_if(memory, start, valid), width)
        return [b.select(valid, number, self.zero()) for number in loaded]

    def store(self, numbers: Sequence[Any], memory: Any, start: Any, offset: int) -> None:
        b, width = self.builder, len(numbers)
        place = self._place(memory, start, offset)
        if width == 1:
            b.store(numbers[0], place, align=4)
            return
        vector = ir.Constant(ir.VectorType(FLOAT, width), ir.Undefined)
        for i, number in enumerate(numbers):
            vector = b.insert_element(vector, number, I32(i))
        b.store(vector, b.bitcast(place, vector.type.as_pointer()), align=4 * width)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        kind = ir.FunctionType(FLOAT, [FLOAT] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.fma.f32")
        return self.builder.call(function, [a, b, c])

    def plus(self, a: Any, b: Any) -> Any:
        return self.builder.add(a, I32(b) if isinstance(b, int) else b)

    def times(self, a: Any, b: Any) -> Any:
        return self.builder.mul(a, b)

    def less(self, a: Any, b: Any) -> Any:
        return self.builder.icmp_signed("<", a, b)

    def least(self, a: Any, b: Any) -> Any:
        return self.builder.select(self.less(a, b), a, b)

    def within(self, a: Any, count: Any) -> Any:
        return self.builder.icmp_unsigned("<", a, count)

    def choice(self, number: Any, choices: Sequence[list[Any]]) -> list[Any]:
        chosen = choices[-1]
        for i, other in enumerate(choices[:-1]):
            here = self.builder.icmp_signed("==", number, I32(i))
            pairs = zip(other, chosen, strict=True)
            chosen = [self.builder.select(here, a, b) for a, b in pairs]
        return chosen

    def when(self, truth: Any, action: Callable[[], None]) -> None:
        with self.builder.if_then(truth):
            action()

    def case(self, number: Any, cases: Sequence[Callable[[], None]]) -> None:
        for i, write in enumerate(cases):
            self.when(self.builder.icmp_signed("==", number, I32(i)), write)

    def copy(self, width: int, shared: Any, at: Any, source: Any, start: Any, valid: Any) -> None:
        b, size = self.builder, 4 * width
        target = b.addrspacecast(b.gep(shared, [at]), FLOAT.as_pointer(SHARED))
        safe = self._place_if(source, start, valid)
        # Quads pass by the first cache: no other block reads the same ones soon.
        cache = "cg" if width == 4 else "ca"
        text = (
            "{ .reg .u64 source; cvta.to.global.u64 source, $1; "
            f"cp.async.{cache}.shared.global [$0], [source], {size}, $2; }}"
        )
        operands = [b.ptrtoint(target, I32), safe, b.select(valid, I32(size), I32(0))]
        self._effect(text, "r,l,r", operands)

    def commit(self) -> None:
        self._effect("cp.async.commit_group;")

    def wait(self, groups: int) -> None:
        self._effect(f"cp.async.wait_group {groups};")

    def bits(self, number: Any) -> Any:
        return self.builder.bitcast(number, I32)

    def rounded(self, form: Format, low: Any, high: Any) -> Any:
        kind = ir.FunctionType(I32, [FLOAT, FLOAT])
        return self.builder.call(ir.InlineAsm(kind, _ROUNDED[form], "=r,f,f"), [low, high])

    def unpacked(self, form: Format, word: Any) -> list[Any]:
        kind = ir.FunctionType(ir.LiteralStructType([FLOAT, FLOAT]), [I32])
        assembly = ir.InlineAsm(kind, _UNPACKED[form], "=f,=f,r")
        pair = self.builder.call(assembly, [word])
        return [self.builder.extract_value(pair, i) for i in range(2)]

    def mma(
        self,
        instruction: Instruction,
        left: Sequence[Any],
        right: Sequence[Any],
        sums: Sequence[Any],
    ) -> list[Any]:
        form = _PTX_FORMATS[instruction.format]
        name = f"mma.sync.aligned.m16n8k{instruction.depth}.row.col.f32.{form}.{form}.f32"
        words = [I32] * (len(left) + len(right))
        constraints = ",".join(["=f"] * 4 + ["r"] * len(words) + ["f"] * 4)
        registers = (f"${i}" for i in range(4 + len(words) + 4))
        groups = [
            "{" + ", ".join(next(registers) for _ in group) + "}"
            for group in (sums, left, right, sums)
        ]
        kind = ir.FunctionType(ir.LiteralStructType([FLOAT] * 4), [*words, *[FLOAT] * 4])
        assembly = ir.InlineAsm(kind, f"{name} {', '.join(groups)};", constraints, side_effect=True)
        result = self.builder.call(assembly, [*left, *right, *sums], attrs=_TOGETHER)
        return [self.builder.extract_value(result, i) for i in range(4)]

    def warp_sum(self, number: Any) -> Any:
        # Halves are exchanged, so that a + b and b + a meet: the bits are the same in all lanes.
        kind = ir.FunctionType(FLOAT, [FLOAT])
        for distance in (16, 8, 4, 2, 1):
            text = f"shfl.sync.bfly.b32 $0, $1, {distance}, 31, -1;"
            assembly = ir.InlineAsm(kind, text, "=f,f", side_effect=True)
            other = self.builder.call(assembly, [number], attrs=_TOGETHER)
            number = self.builder.fadd(number, other)
        return number

    def _place(self, memory: Any, start: Any, offset: int) -> Any:
        """The pointer to a float."""
        # Two steps: the second one becomes part of the instruction.
        return self.builder.gep(self.builder.gep(memory, [start]), [I32(offset)])

    def _place_if(self, memory: Any, start: Any, valid: Any) -> Any:
        """The pointer to a float that is there, or to the first one."""
        # Without a sign to extend, an address is one instruction of its index.
        index = self.builder.select(valid, start, I32(0))
        return self.builder.gep(memory, [self.builder.zext(index, I64)])

    def _load(self, place: Any, width: int) -> list[Any]:
        b = self.builder
        if width == 1:
            return [b.load(place, align=4)]
        pointer = b.bitcast(place, ir.VectorType(FLOAT, width).as_pointer())
        vector = b.load(pointer, align=4 * width)
        return [b.extract_element(vector, I32(i)) for i in range(width)]

    def _effect(self, text: str, constraints: str = "", operands: Sequence[Any] = ()) -> None:
        """PTX that changes memory or waits for it: nothing may move across."""
        kind = ir.FunctionType(VOID, [operand.type for operand in operands])
        clobbers = ",".join(filter(None, [constraints, "~{memory}"]))
        self.builder.call(ir.InlineAsm(kind, text, clobbers, side_effect=True), operands)
