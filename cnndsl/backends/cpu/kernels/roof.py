"""Nothing but arithmetic, and nothing but reading: see lowering/roof.py for the fields."""

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES
from cnndsl.backends.cpu.lowering.roof import MultiplyAddFields, ReadFields, chains_of
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Vector

_HOST = Target.host()

# Reading is fastest from a few places at once, each asked for in time. In floats:
_STREAMS, _TURN, _AHEAD, _LINE = 4, 64, 512, 16


@emits(_HOST.lanes)
def _multiply_add(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
    f = read_fields(code, args, MultiplyAddFields)
    factor = code.vector(code.float_field(f.factor))

    def turn(_: Value, chains: list[Vector]) -> list[Vector]:
        return [chain.fma(factor, 1.0) for chain in chains]

    turns = (code.integer(end) - code.integer(begin)) * f.turns
    start = [code.vector(float(i)) for i in range(chains_of(_HOST))]
    _keep(code, code.loop(0, turns, 1, start, turn), scratch)


@emits(_HOST.lanes)
def _read(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
    f = read_fields(code, args, ReadFields)
    stream = f.floats // _STREAMS

    def one(number: Value, sums: list[Vector]) -> list[Vector]:
        unit = f.x + code.integer(number) * f.floats * FLOAT_BYTES
        starts = [code.at(code.pointer(unit), stream * s) for s in range(_STREAMS)]

        def turn(i: Value, sums: list[Vector]) -> list[Vector]:
            for start in starts:
                here = code.at(start, i)
                for line in range(0, _TURN, _LINE):
                    code.prefetch(here, _AHEAD + line)
                offsets = range(0, _TURN, code.lanes)
                sums = [s + code.load(here, at) for s, at in zip(sums, offsets, strict=True)]
            return sums

        return code.loop(0, stream, _TURN, sums, turn)

    zeros = [code.vector(0.0)] * (_TURN // code.lanes)
    _keep(code, code.loop(begin, end, 1, zeros, one), scratch)


def _keep(code: Code, vectors: list[Vector], scratch: Value) -> None:
    """Write the sum of all vectors to the scratch memory, so that no part of the work is dead."""
    total = vectors[0]
    for vector in vectors[1:]:
        total = total + vector
    code.store(total, code.pointer(scratch))


def multiply_add(args: int, begin: int, end: int, scratch: int) -> None:
    """Multiply and add, in registers."""
    _multiply_add(args, begin, end, scratch)


def read(args: int, begin: int, end: int, scratch: int) -> None:
    """Read memory, front to back."""
    _read(args, begin, end, scratch)
