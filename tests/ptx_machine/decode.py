"""From instructions to Python functions of a wave and its active lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptx_machine import arithmetic, transfers, warps
from ptx_machine.arithmetic import COMPARE, COMPUTE, SHIFTS, TYPES, converted
from ptx_machine.operands import Run, register, source
from ptx_machine.parser import Instruction, Module, PtxError, Symbol, Vector
from ptx_machine.wave import Active, Wave


@dataclass(frozen=True)
class Step:
    """
    An instruction, made ready.

    `flow` says what it does to the order of things: `branch` to `target`, `end` of the thread,
    `wait` for the block, `together` with the other lanes of the warp, or nothing.
    """

    text: str
    run: Run | None
    flow: str = ""
    target: int = 0
    guard: Callable[[Wave], Any] | None = None


def decoded(module: Module) -> list[Step]:
    """A step for each instruction. Raises `PtxError` for one that this machine does not know."""
    return [_step(instruction, module) for instruction in module.instructions]


def _step(i: Instruction, module: Module) -> Step:
    guard = None if i.guard is None else _guard(source(i.guard, np.dtype(bool)), i.unless)
    match i.words:
        case ["bra", *_]:
            label = i.operands[0]
            assert isinstance(label, Symbol)
            return Step(i.text, None, "branch", module.labels[label.name], guard)
        case ["ret" | "exit", *_]:
            return Step(i.text, None, "end", guard=guard)
        case ["bar" | "barrier", *_]:
            if len(i.operands) != 1 or guard is not None:
                raise PtxError(f"this machine knows no {i.text!r}")
            return Step(i.text, None, "wait")
        case _:
            known = _BUILDERS.get(i.words[0])
            if known is None:
                raise PtxError(f"this machine knows no {i.text!r}")
            flow = "together" if "sync" in i.words else ""
            return Step(i.text, known(i), flow, guard=guard)


def _guard(predicate: Callable[[Wave], Any], unless: bool) -> Callable[[Wave], Any]:
    return (lambda wave: ~predicate(wave)) if unless else predicate


def _computes(i: Instruction) -> Run:
    """What `COMPUTE` has."""
    function, modifiers, kind = COMPUTE[i.words[0]], i.words[1:-1], np.dtype(TYPES[i.words[-1]])
    if i.words[-1] in ("f16", "f64"):
        raise PtxError(f"this machine computes with no {i.words[-1]}: {i.text}")
    to = register(i.operands[0])
    operands = [source(operand, kind) for operand in i.operands[1:]]
    if i.words[0] == "mad" and "wide" in modifiers:
        operands[2] = source(i.operands[3], np.dtype(f"{kind.kind}{2 * kind.itemsize}"))

    def run(wave: Wave, active: Active) -> None:
        wave.put(to, function(modifiers, *[operand(wave) for operand in operands]), active)

    return run


def _shifts(i: Instruction) -> Run:
    function, kind = SHIFTS[i.words[0]], np.dtype(TYPES[i.words[-1]])
    to, x = register(i.operands[0]), source(i.operands[1], kind)
    count = source(i.operands[2], np.dtype(np.uint32))

    def run(wave: Wave, active: Active) -> None:
        wave.put(to, function(x(wave), count(wave)), active)

    return run


def _moves(i: Instruction) -> Run:
    """`mov`, also of a register into the pieces of a vector and back."""
    to, of = i.operands
    if isinstance(to, Vector):
        registers, whole = [register(part) for part in to.parts], source(of, _unsigned(i.words[1]))
        size = whole_bytes(i.words[1]) // len(registers)

        def take_apart(wave: Wave, active: Active) -> None:
            value = whole(wave)
            for place, piece in enumerate(registers):
                bits = value >> value.dtype.type(8 * size * place)
                wave.put(piece, bits.astype(f"u{size}"), active)

        return take_apart
    if isinstance(of, Vector):
        size = whole_bytes(i.words[1]) // len(of.parts)
        pieces = [source(part, np.dtype(f"u{size}")) for part in of.parts]
        kind, target = _unsigned(i.words[1]), register(to)

        def put_together(wave: Wave, active: Active) -> None:
            values = [piece(wave).astype(kind) for piece in pieces]
            shifted = [v << kind.type(8 * size * n) for n, v in enumerate(values)]
            wave.put(target, np.bitwise_or.reduce(np.broadcast_arrays(*shifted)), active)

        return put_together
    return _computes(i)


def _compares(i: Instruction) -> Run:
    kind, relation = np.dtype(TYPES[i.words[-1]]), COMPARE[i.words[1]]
    to, a, b = register(i.operands[0]), *(source(x, kind) for x in i.operands[1:3])
    if i.words[1] == "ne" and kind.kind != "f":
        relation = np.not_equal
    if len(i.operands) == 3:

        def run(wave: Wave, active: Active) -> None:
            wave.put(to, relation(a(wave), b(wave)), active)

        return run
    if i.words[2] not in ("and", "or", "xor"):
        raise PtxError(f"this machine knows no {i.text!r}")
    both, more = COMPUTE[i.words[2]], source(i.operands[3], np.dtype(bool))

    def run_both(wave: Wave, active: Active) -> None:
        wave.put(to, both((), relation(a(wave), b(wave)), more(wave)), active)

    return run_both


def _selects(i: Instruction) -> Run:
    kind = np.dtype(TYPES[i.words[-1]])
    to, a, b = register(i.operands[0]), *(source(x, kind) for x in i.operands[1:3])
    truth = source(i.operands[3], np.dtype(bool))

    def run(wave: Wave, active: Active) -> None:
        wave.put(to, np.where(truth(wave), a(wave), b(wave)), active)

    return run


def _converts(i: Instruction) -> Run:
    *modifiers, to_kind, of_kind = i.words[1:]
    to = register(i.operands[0])
    if to_kind in ("bf16x2", "f16x2"):
        # The first operand goes to the upper half.
        high, low = (source(x, np.dtype(np.float32)) for x in i.operands[1:3])
        half = arithmetic.bfloat16 if to_kind == "bf16x2" else _half

        def pack(wave: Wave, active: Active) -> None:
            value = half(high(wave)) << np.uint32(16) | half(low(wave))
            wave.put(to, value, active)

        return pack
    x = source(i.operands[1], np.dtype(TYPES[of_kind]))
    if to_kind == "tf32":
        if modifiers != ["rna"]:
            raise PtxError(f"this machine knows no {i.text!r}")
        return lambda wave, active: wave.put(to, arithmetic.tf32(x(wave)), active)
    if len({*modifiers} - {"rn", "rni", "rzi", "rmi", "rpi", "sat", "ftz"}):
        raise PtxError(f"this machine knows no {i.text!r}")

    def run(wave: Wave, active: Active) -> None:
        wave.put(to, converted(tuple(modifiers), to_kind, x(wave)), active)

    return run


def _half(x: Any) -> Any:
    return x.astype(np.float16).view(np.uint16).astype(np.uint32)


def _addresses(i: Instruction) -> Run:
    """`cvta`: generic addresses of global memory are its own."""
    if i.words[1:] not in (("to", "global", "u64"), ("global", "u64")):
        raise PtxError(f"this machine has no generic addresses but of global memory: {i.text!r}")
    to, x = register(i.operands[0]), source(i.operands[1], np.dtype(np.uint64))
    return lambda wave, active: wave.put(to, x(wave), active)


def _unsigned(kind: str) -> np.dtype:
    return np.dtype(f"u{whole_bytes(kind)}")


def whole_bytes(kind: str) -> int:
    """Bytes of a type."""
    return np.dtype(TYPES[kind]).itemsize


_BUILDERS: dict[str, Callable[[Instruction], Run]] = {
    **dict.fromkeys(COMPUTE, _computes),
    **dict.fromkeys(SHIFTS, _shifts),
    "mov": _moves,
    "setp": _compares,
    "selp": _selects,
    "cvt": _converts,
    "cvta": _addresses,
    "ld": transfers.load,
    "st": transfers.store,
    "cp": transfers.copy,
    "ldmatrix": warps.load_matrices,
    "mma": warps.multiply,
    "shfl": warps.shuffle,
    "vote": warps.vote,
}
