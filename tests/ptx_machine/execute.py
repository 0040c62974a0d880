"""The order in which threads run, and launches."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from cuda_memory import Fault

from ptx_machine.decode import Step, decoded
from ptx_machine.matrix import LANES
from ptx_machine.memory import DeviceMemory
from ptx_machine.parser import Module, parse
from ptx_machine.wave import Active, Extent, Mask, Wave

MOST_LANES = 4096
"""Lanes that run at once: more cost memory, fewer cost time."""
MOST_STEPS = 2_000_000
"""Of a wave: a kernel that takes more does not end."""


class Machine:
    """A kernel's PTX, ready to be launched."""

    def __init__(self, text: str) -> None:
        self.module: Module = parse(text)
        self.steps = decoded(self.module)

    def launch(
        self,
        memory: DeviceMemory,
        extents: tuple[Extent, Extent],
        dynamic_bytes: int,
        arguments: Sequence[Any],
    ) -> None:
        """
        Run all blocks. `arguments` are NumPy scalars of the parameters' sizes.

        Raises `Fault` for what a GPU does not forgive, or not always.
        """
        grid, block = extents
        if not 1 <= prod(block) <= self.module.most_threads:
            raise Fault(f"no block has {block} threads")
        params = dict(zip(self.module.params, arguments, strict=True))
        memory.watched.begin()
        blocks, each = prod(grid), max(1, MOST_LANES // prod(block))
        with np.errstate(all="ignore"):
            for first in range(0, blocks, each):
                some = range(first, min(first + each, blocks))
                wave = Wave(self.module, memory, some, extents, dynamic_bytes, params)
                Schedule(self.steps, wave).run()


class Schedule:
    """
    Who runs next: of the lanes that may run, those at the earliest instruction.

    So lanes that have parted meet again where their ways do. `groups` are lanes by the instruction
    that they execute next. `parked` lanes wait at one for the rest of their warp, and `waiting`
    ones at a barrier for the rest of their block.
    """

    def __init__(self, steps: list[Step], wave: Wave) -> None:
        self.steps, self.wave = steps, wave
        self.groups: dict[int, Mask] = {0: wave.live.copy()}
        self.parked: dict[int, Mask] = {}
        self.waiting: dict[int, Mask] = {}
        self.left = MOST_STEPS

    def run(self) -> None:
        """Run all threads to their end."""
        while self.groups:
            at = min(self.groups)
            try:
                at = self.run_from(at, self.groups.pop(at))
            except Fault as fault:
                raise Fault(f"{fault} (in {self.current!r})") from None
        if self.parked or self.waiting:
            stuck = {self.steps[at].text for at in (*self.parked, *self.waiting)}
            raise Fault(f"threads wait for others that do not come: {', '.join(sorted(stuck))}")

    def run_from(self, at: int, mask: Mask) -> int:
        """Run lanes until they part, wait, end, or reach where others are."""
        active = Active(mask, bool((mask == self.wave.live).all()))
        meeting = min(self.groups, default=-1)
        while True:
            step = self.steps[at]
            self.current = step.text
            self.left -= 1
            if self.left < 0:
                raise Fault("the kernel does not end")
            if step.flow:
                if step.flow in ("wait", "together"):
                    active = self.whole_warps(at, active, step.flow == "together")
                    if not active.mask.any():
                        return at
                if step.flow != "together":
                    self.flow(at, step, active.mask)
                    return at
            if step.run is not None:
                if step.guard is None:
                    step.run(self.wave, active)
                else:
                    guarded = active.mask & step.guard(self.wave)
                    if guarded.any():
                        full = active.full and bool((guarded == active.mask).all())
                        step.run(self.wave, Active(guarded, full))
            at += 1
            if at == meeting:
                self.join(at, active.mask)
                return at

    def whole_warps(self, at: int, active: Active, every: bool) -> Active:
        """
        The active lanes whose warps are here as a whole; the others are parked.

        Whole is a warp of which `every` lane is here, or else each that has not ended.
        """
        mask = active.mask | self.parked.pop(at, np.zeros_like(active.mask))
        here = mask if every else mask == self.wave.live
        whole = np.repeat(here.reshape(-1, LANES).all(1), LANES) & mask
        if not (parted := mask & ~whole).any() and not (mask != active.mask).any():
            return active
        if parted.any():
            self.parked[at] = parted
        return Active(whole, bool((whole == self.wave.live).all()))

    def flow(self, at: int, step: Step, mask: Mask) -> None:
        """A branch, an end or a barrier."""
        chosen = mask if step.guard is None else mask & step.guard(self.wave)
        if step.flow == "branch":
            self.join(step.target, chosen)
            self.join(at + 1, mask & ~chosen)
        elif step.flow == "end":
            self.wave.live = self.wave.live & ~chosen
            self.join(at + 1, mask & ~chosen)
            self.open_barriers()
        else:
            self.waiting[at] = mask | self.waiting.get(at, np.zeros_like(mask))
            self.open_barriers()

    def open_barriers(self) -> None:
        """Let the blocks go on whose threads all wait, or have ended."""
        if not self.waiting:
            return
        wave = self.wave
        arrived = np.logical_or.reduce(list(self.waiting.values()))
        complete = (arrived == wave.live).reshape(-1, wave.padded).all(1)
        passing = np.repeat(complete, wave.padded) & arrived
        if not passing.any():
            return
        for at in list(self.waiting):
            self.join(at + 1, self.waiting[at] & passing)
            self.waiting[at] = self.waiting[at] & ~passing
            if not self.waiting[at].any():
                del self.waiting[at]
        wave.barriers[complete] += 1
        wave.who = wave.stamps()

    def join(self, at: int, mask: Mask) -> None:
        """Add lanes to those at an instruction."""
        if mask.any():
            self.groups[at] = mask | self.groups[at] if at in self.groups else mask
