"""What the lanes of a warp do together. The scheduler sees to it that whole warps arrive."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from cuda_memory import Fault

from ptx_machine.matrix import LANES, dealt, multiplied
from ptx_machine.operands import Run, Source, register, source
from ptx_machine.parser import Address, Immediate, Instruction, PtxError, Vector
from ptx_machine.transfers import places
from ptx_machine.wave import Active, Wave

_ROW_BYTES = 16
_ROWS = 8
_U32 = np.dtype(np.uint32)


def multiply(i: Instruction) -> Run:
    """`mma.sync`."""
    shape = re.fullmatch(r"m16n8k(\d+)", i.words[3])
    if i.words[1:3] != ("sync", "aligned") or not shape or i.words[4:6] != ("row", "col"):
        raise PtxError(f"this machine knows no {i.text!r}")
    of, form, other, result = i.words[6:]
    if (of, result) != ("f32", "f32") or form != other:
        raise PtxError(f"this machine knows no {i.text!r}")
    depth = int(shape[1])
    to, a, b, c = (x.parts if isinstance(x, Vector) else (x,) for x in i.operands)
    factors = [[source(part, _U32) for part in parts] for parts in (a, b)]
    sums = [source(part, np.dtype(np.float32)) for part in c]

    def run(wave: Wave, active: Active) -> None:
        left, right = (_fragments(wave, active, parts) for parts in factors)
        result = multiplied(depth, form, left, right, _fragments(wave, active, sums))
        _deal(wave, active, to, result)

    return run


def load_matrices(i: Instruction) -> Run:
    """`ldmatrix`: lanes 8 * m to 8 * m + 7 tell where the rows of matrix m start."""
    words = [word for word in i.words if word != "trans"]
    count = {"x1": 1, "x2": 2, "x4": 4}.get(words[4])
    if words[1:4] != ["sync", "aligned", "m8n8"] or words[5:] != ["shared", "b16"] or not count:
        raise PtxError(f"this machine knows no {i.text!r}")
    to, address = i.operands
    assert isinstance(address, Address)
    registers = to.parts if isinstance(to, Vector) else (to,)
    place, transposed = places("shared", address, _ROW_BYTES), "trans" in i.words

    def run(wave: Wave, active: Active) -> None:
        memory, words = place(wave, active)
        if (
            words < 0
        ).any():  # "For .target sm_75 or below, all threads must contain valid addresses"
            raise Fault("a lane tells of a row outside of shared memory")
        # Each row is read by the lanes that receive it, not by the one that tells its place.
        rows = words.reshape(-1, LANES, _ROW_BYTES // 4)[:, : _ROWS * count]
        rows = rows.reshape(-1, count, _ROWS, _ROW_BYTES // 4)
        cells = dealt(rows, False)
        who = wave.who[active.lanes].reshape(-1, LANES)
        read = memory.read(cells, np.broadcast_to(who[:, :, None], cells.shape))
        if transposed:
            read = dealt(memory.words[rows], True)
        _deal(wave, active, registers, read)

    return run


def shuffle(i: Instruction) -> Run:
    """`shfl.sync`: a lane reads what another lane of its warp has."""
    mode = i.words[2]
    *to, of, by, clamp, members = i.operands
    value, distance = source(of, _U32), source(by, _U32)
    limits, mask = source(clamp, _U32), _mask_of(i, members)

    def run(wave: Wave, active: Active) -> None:
        lane = np.arange(wave.lanes) % LANES
        limit, far = (np.broadcast_to(x(wave), wave.lanes).astype(int) for x in (limits, distance))
        segment, last = limit >> 8 & 31, limit & 31
        highest, lowest = (lane & segment) | (last & ~segment), lane & segment
        match mode:
            case "bfly":
                other = lane ^ far
                valid = other <= highest
            case "up":
                other = lane - far
                valid = other >= highest
            case "down":
                other = lane + far
                valid = other <= highest
            case _:
                other = lowest | (far & ~segment & 31)
                valid = other <= highest
        other = np.where(valid, other, lane)
        if not (mask >> other[active.lanes] & 1).all():
            raise Fault("a lane reads from one that takes no part")
        whole = np.broadcast_to(value(wave), wave.lanes)
        wave.put(register(to[0]), whole[np.arange(wave.lanes) - lane + other], active)
        if len(to) > 1:
            wave.put(register(to[1]), valid, active)

    return run


def vote(i: Instruction) -> Run:
    """`vote.sync`: whether a truth holds in all lanes of a warp, in any, or in which."""
    mode = i.words[2]
    truth, _ = source(i.operands[1], np.dtype(bool)), _mask_of(i, i.operands[2])

    def run(wave: Wave, active: Active) -> None:
        truths = np.broadcast_to(truth(wave), wave.lanes).reshape(-1, LANES)
        match mode:
            case "all":
                result: Any = truths.all(1)
            case "any":
                result = truths.any(1)
            case "uni":
                result = truths.all(1) | ~truths.any(1)
            case _:
                result = (truths * (1 << np.arange(LANES))).sum(1).astype(np.uint32)
        wave.put(register(i.operands[0]), np.repeat(result, LANES), active)

    return run


def _mask_of(i: Instruction, members: Any) -> int:
    if not isinstance(members, Immediate) or members.value % 2**32 != 2**32 - 1:
        raise PtxError(f"this machine's warps act as a whole: {i.text!r}")
    return members.value % 2**32


def _fragments(wave: Wave, active: Active, parts: list[Source]) -> Any:
    """Registers of whole warps, `[warp, lane, register]`."""
    columns = [wave.each(part(wave), active.lanes).reshape(-1, LANES) for part in parts]
    return np.stack(columns, -1)


def _deal(wave: Wave, active: Active, registers: Any, values: Any) -> None:
    """Set registers of whole warps."""
    for number, piece in enumerate(registers):
        spread = np.zeros(wave.lanes, values.dtype)
        spread[active.lanes] = values[:, :, number].reshape(-1)
        wave.put(register(piece), spread, active)
