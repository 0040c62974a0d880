"""What threads hold while they run: registers, shared memory, and copies on their way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptx_machine.arithmetic import TYPES
from ptx_machine.matrix import LANES
from ptx_machine.memory import WORD, DeviceMemory, Watched, stamps
from ptx_machine.parser import SHARED_START, Immediate, Module, PtxError, Register

Extent = tuple[int, int, int]
Mask = NDArray[np.bool_]

_POISON = 0x7FDEAD017FDEAD01
"""In registers that nobody has set: no number, and no address."""


@dataclass(frozen=True)
class Active:
    """The lanes that execute an instruction; `full` if no other lane still runs."""

    mask: Mask
    full: bool

    @cached_property
    def lanes(self) -> NDArray[np.int64]:
        """Their numbers."""
        return np.flatnonzero(self.mask)


@dataclass
class Copies:
    """What a `cp.async` has promised: by lane its group, and its words from where to where."""

    lanes: NDArray[np.int64]
    groups: NDArray[np.int64]
    to: NDArray[np.int64]
    of: NDArray[np.int64]
    there: Mask


class Wave:
    """
    Some blocks of a launch. Their threads are lanes, filled up with lanes that never run.

    `blocks` are numbers of blocks in the grid, x running fastest.
    """

    def __init__(
        self,
        module: Module,
        memory: DeviceMemory,
        blocks: range,
        extents: tuple[Extent, Extent],
        dynamic_bytes: int,
        params: Mapping[str, Any],
    ) -> None:
        grid, block = extents
        threads = prod(block)
        self.padded = -(-threads // LANES) * LANES
        self.memory, self.params, self.symbols = memory, params, module.shared
        thread = np.tile(np.arange(self.padded), len(blocks))
        self.block = np.repeat(np.arange(len(blocks)), self.padded)
        self.lanes = len(thread)
        self.live: Mask = thread < threads
        self.numbers = np.array(blocks, np.int64)[self.block]
        self.thread = thread
        self.barriers = np.zeros(len(blocks), np.int64)
        self.shared_words = (module.shared_bytes + dynamic_bytes) // WORD
        self.shared = Watched("shared memory", len(blocks) * self.shared_words)
        self.copies: list[Copies] = []
        self.committed = np.zeros(self.lanes, np.int64)
        self.registers: list[Any] = [_poisoned(kind) for kind in module.registers]
        self.special: dict[str, Any] = {
            "%laneid": (thread % LANES).astype(np.uint32),
            "%dynamic_smem_size": np.uint32(dynamic_bytes),
        }
        for name, numbers, size in (("tid", thread, block), ("ctaid", self.numbers, grid)):
            for axis, letter in enumerate("xyz"):
                place = numbers // prod(size[:axis]) % size[axis]
                self.special[f"%{name}.{letter}"] = place.astype(np.uint32)
                self.special[f"%n{name}.{letter}"] = np.uint32(size[axis])
        self.who = self.stamps()

    def stamps(self) -> NDArray[np.int64]:
        """Who each lane is, now."""
        return stamps(self.numbers, self.barriers[self.block], self.thread)

    def shared_places(self, addresses: Any, lanes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Words of shared memory by addresses of lanes; -1 outside the lane's block."""
        words = (np.asarray(addresses, np.int64) - SHARED_START) // WORD
        outside = (words < 0) | (words >= self.shared_words)
        first = (self.block[lanes] * self.shared_words).reshape(-1, *[1] * (words.ndim - 1))
        return np.where(outside, -1, first + words)

    def put(self, register: Register, value: Any, active: Active) -> None:
        """Set a register in the active lanes; a narrower value is extended."""
        kind = TYPES[register.kind]
        if value.dtype != kind:
            if value.dtype.itemsize < kind.itemsize:
                value = value.astype(np.dtype(f"{_letter(value)}{8 * kind.itemsize}"))
            if value.dtype.itemsize != kind.itemsize:
                raise PtxError(f"{value.dtype} does not fit a register of {register.kind}")
            value = value.view(kind)
        if not active.full:
            value = np.where(active.mask, value, self.registers[register.number])
        self.registers[register.number] = value

    def get(self, operand: Register, kind: Any) -> Any:
        """A register's lanes as numbers of a type, from its lower bits."""
        value = self.registers[operand.number]
        if value.dtype == kind:
            return value
        if value.dtype.itemsize > kind.itemsize:
            value = value.view(f"u{value.dtype.itemsize}").astype(f"u{kind.itemsize}")
        return value.view(kind)

    def each(self, value: Any, lanes: NDArray[np.int64]) -> Any:
        """A value in some lanes, also if it is the same in all."""
        return np.broadcast_to(value, self.lanes)[lanes]


def immediate(operand: Immediate, kind: Any) -> Any:
    """A number of a type."""
    if kind == np.bool_:
        return np.bool_(operand.value)
    bits = 8 * kind.itemsize
    return np.array(operand.value % (1 << bits), f"u{kind.itemsize}").view(kind)[()]


def _letter(value: Any) -> str:
    return "int" if value.dtype.kind == "i" else "uint"


def _poisoned(kind: str) -> Any:
    return immediate(Immediate(_POISON), np.dtype(TYPES[kind]))
