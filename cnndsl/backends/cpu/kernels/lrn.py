"""Local response normalization over neighbouring maps: see lowering/lrn.py for the fields."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.control import I32
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import over_pixels
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.lowering.lrn import HALF, ONE, THREE_QUARTERS, LrnFields
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Mask, Vector

_LANES = Target.host().lanes


def lrn(exponent: int) -> Any:
    """The kernel for one of the exponents that lowering/lrn.py names."""

    @emits(_LANES)
    def normalise(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, LrnFields)
        bounds = Bounds.of(code, f)
        scale, k, beta = (code.vector(code.float_field(bits)) for bits in (f.scale, f.k, f.beta))

        def pixel(x: Value, y: Value) -> None:
            def normalise_span(span: Span) -> None:
                base = _squares(code, f, x, span.start).fma(scale, k)
                (value,) = span.load(x)
                value = value / _power(code, base, beta, exponent)
                span.store([bounds.clamp(value)], y)

            over_row(code, f.maps, normalise_span)

        over_pixels(code, f, begin, end, pixel)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        normalise(args, begin, end)

    return kernel


def _squares(code: Code, f: Any, x: Value, start: Int) -> Vector:
    """For the maps from `start` on, the sums of squares of their neighbours."""

    def total(load: Callable[[Int], Vector]) -> Vector:
        def turn(offset: Value, state: list[Vector]) -> list[Vector]:
            near = load(start + code.integer(offset))
            return [near.fma(near, state[0])]

        (total,) = code.loop(0 - f.lower, f.upper + 1, 1, [code.vector(0.0)], turn)
        return total

    b = code.builder
    after_last = start + code.lanes + f.upper
    inside = b.and_((start - f.lower).is_(">=", 0), after_last.is_("<=", f.maps))
    with b.if_else(inside) as (then, otherwise):
        with then:
            whole = total(lambda c: code.load(x, c)), b.block
        with otherwise:
            clipped = total(lambda c: code.load_first(x, c, _inside(code, c, f.maps))), b.block
    either = b.phi(code.type)
    for vector, block in (whole, clipped):
        either.add_incoming(vector.value, block)
    return Vector(code, either)


def _inside(code: Code, start: Int, maps: Int) -> Mask:
    """True in the lanes whose maps, `start` on, exist."""
    b, integers = code.builder, ir.VectorType(I32, code.lanes)
    lanes = ir.Constant(integers, list(range(code.lanes)))
    first, end = (_same(code, b.trunc(number.value, I32)) for number in (start, maps))
    # Compared without sign, a number below 0 is a large one.
    return Mask(code, b.icmp_unsigned("<", b.add(lanes, first), end))


def _same(code: Code, number: Value) -> Value:
    kind = ir.VectorType(I32, code.lanes)
    undefined = ir.Constant(kind, ir.Undefined)
    first = code.builder.insert_element(undefined, number, I32(0))
    return code.builder.shuffle_vector(first, undefined, ir.Constant(kind, [0] * code.lanes))


def _power(code: Code, base: Vector, beta: Vector, exponent: int) -> Vector:
    """base ^ beta."""
    if exponent == ONE:
        return base
    if exponent == HALF:
        return base.sqrt()
    if exponent == THREE_QUARTERS:
        root = base.sqrt()
        return root * root.sqrt()
    return code.call("llvm.pow", base, beta)
