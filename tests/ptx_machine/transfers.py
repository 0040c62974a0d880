"""What moves between registers and memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from cuda_memory import Fault
from numpy.typing import NDArray

from ptx_machine.arithmetic import TYPES
from ptx_machine.memory import WORD, Watched
from ptx_machine.operands import Run, Source, register, source
from ptx_machine.parser import Address, Immediate, Instruction, PtxError, Vector
from ptx_machine.wave import Active, Copies, Wave

_COPY_SIZES = {"ca": (4, 8, 16), "cg": (16,)}


def load(i: Instruction) -> Run:
    """`ld`, of one number or a vector of them."""
    space, width, kind = _shape(i)
    to, of = i.operands
    registers = [register(part) for part in (to.parts if isinstance(to, Vector) else (to,))]
    if space == "param":
        return _parameter(i, kind)
    place, size = places(space, of, width * kind.itemsize), kind.itemsize // WORD
    if len(registers) != width or not size:
        raise PtxError(f"this machine knows no {i.text!r}")

    def run(wave: Wave, active: Active) -> None:
        memory, words = place(wave, active)
        read = memory.read(words, _who(wave, active, words))
        values = np.ascontiguousarray(read).view(f"u{kind.itemsize}").view(kind)
        for piece, column in zip(registers, values.T, strict=True):
            spread = np.zeros(wave.lanes, kind)
            spread[active.lanes] = column
            wave.put(piece, spread, active)

    return run


def store(i: Instruction) -> Run:
    """`st`, of one number or a vector of them."""
    space, width, kind = _shape(i)
    to, of = i.operands
    parts = of.parts if isinstance(of, Vector) else (of,)
    values = [source(part, np.dtype(f"u{kind.itemsize}")) for part in parts]
    place, size = places(space, to, width * kind.itemsize), kind.itemsize // WORD
    if len(values) != width or not size:
        raise PtxError(f"this machine knows no {i.text!r}")

    def run(wave: Wave, active: Active) -> None:
        memory, words = place(wave, active)
        columns = [wave.each(value(wave), active.lanes) for value in values]
        written = np.ascontiguousarray(np.stack(columns, -1)).view(np.uint32)
        memory.write(words, written, _who(wave, active, words))

    return run


def copy(i: Instruction) -> Run:
    """`cp.async`: copies to shared memory that arrive when they are waited for, and no earlier."""
    match i.words[2:]:
        case ["commit_group"]:
            return _commit
        case ["wait_group"]:
            (left,) = i.operands
            assert isinstance(left, Immediate)
            return lambda wave, active: _wait(wave, active, left.value)
        case ["wait_all"]:
            return lambda wave, active: (_commit(wave, active), _wait(wave, active, 0))
        case [cache, "shared", "global"]:
            return _copy(i, cache)
        case _:
            raise PtxError(f"this machine knows no {i.text!r}")


def places(
    space: str, address: Any, size: int
) -> Callable[[Wave, Active], tuple[Watched, NDArray[np.int64]]]:
    """
    The memory and the words that lanes address, `[lane, word]`.

    A vector of so many bytes lies at a multiple of them, or that is a `Fault`.
    """
    assert isinstance(address, Address)
    kind = np.dtype(np.uint64)
    # An address in shared memory may stand in a register of 32 bits.
    narrow = getattr(address.base, "kind", "b64").endswith("32")
    base = source(address.base, np.dtype(np.uint32) if narrow else kind)
    offset, steps = address.offset, np.arange(size // WORD) * WORD

    def find(wave: Wave, active: Active) -> tuple[Watched, Any]:
        starts = wave.each(base(wave), active.lanes).astype(np.int64) + offset
        if (starts % size).any():
            raise Fault(f"moves {size} bytes at {hex(starts[(starts % size).argmax()])}")
        addresses = starts[:, None] + steps
        if space == "shared":
            return wave.shared, wave.shared_places(addresses, active.lanes)
        return wave.memory.watched, wave.memory.places(addresses)

    if space not in ("shared", "global"):
        raise PtxError(f"this machine has no memory {space!r}")
    return find


def _shape(i: Instruction) -> tuple[str, int, np.dtype]:
    """Space, numbers and type of a load or store."""
    words = [word for word in i.words[1:-1] if word not in ("nc", "volatile", "relaxed")]
    width = next((int(word[1]) for word in words if word in ("v2", "v4")), 1)
    space = [word for word in words if word in ("param", "shared", "global")]
    if len(space) + (width > 1) != len(words) or not space:
        raise PtxError(f"this machine knows no {i.text!r}")
    return space[0], width, np.dtype(TYPES[i.words[-1]])


def _parameter(i: Instruction, kind: np.dtype) -> Run:
    to, address = i.operands
    assert isinstance(address, Address)
    name = address.base.name
    if address.offset:
        raise PtxError(f"this machine's parameters are numbers: {i.text!r}")
    return lambda wave, active: wave.put(register(to), wave.params[name].view(kind), active)


def _who(wave: Wave, active: Active, words: Any) -> Any:
    return np.broadcast_to(wave.who[active.lanes][:, None], words.shape)


def _copy(i: Instruction, cache: str) -> Run:
    size = _number(i, 2)
    if size not in _COPY_SIZES.get(cache, ()):
        raise PtxError(f"cp.async.{cache} copies no {size} bytes")
    to, of = places("shared", i.operands[0], size), places("global", i.operands[1], size)
    given: Source = source(
        i.operands[3] if len(i.operands) > 3 else Immediate(size), np.dtype(np.uint32)
    )

    def run(wave: Wave, active: Active) -> None:
        memory, words = to(wave, active)
        memory.depart(words, _who(wave, active, words))
        kept = wave.each(given(wave), active.lanes)
        if (kept > size).any() or (kept % WORD).any():
            raise Fault(f"a copy of {size} bytes takes {kept.max()}")
        there = np.arange(0, size, WORD) < kept[:, None]
        _, sources = of(wave, active)
        groups = wave.committed[active.lanes].copy()
        wave.copies.append(Copies(active.lanes, groups, words, sources, there))

    return run


def _commit(wave: Wave, active: Active) -> None:
    wave.committed[active.lanes] += 1


def _wait(wave: Wave, active: Active, left: int) -> None:
    """What the lanes have committed, but the last groups, arrives: zeros behind what was taken."""
    remaining: list[Copies] = []
    for c in wave.copies:
        done = active.mask[c.lanes] & (c.groups < wave.committed[c.lanes] - left)
        if done.any():
            who = np.broadcast_to(wave.who[c.lanes][:, None], c.to.shape)
            there = c.there & done[:, None]
            values = np.zeros(c.to.shape, np.uint32)
            values[there] = wave.memory.watched.read(c.of[there], who[there])
            wave.shared.land(c.to[done], values[done], who[done])
        kept = ~done
        if kept.any():
            parts = (c.lanes, c.groups, c.to, c.of, c.there)
            remaining.append(Copies(*(part[kept] for part in parts)) if done.any() else c)
    wave.copies = remaining


def _number(i: Instruction, place: int) -> int:
    operand = i.operands[place]
    if not isinstance(operand, Immediate):
        raise PtxError(f"{i.text!r} has no number there")
    return operand.value
