"""The launches of a network for one batch size, and how much memory they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from cnndsl.backends.cuda.launch import Constant, Launch, Lowered
from cnndsl.plan.plan import Buffer, Plan

FLOAT_BYTES = 4
LARGEST_COUNT = 2**31 - 1
"""Kernels count cells in 32 bits."""
LARGEST_BATCH = 65535
"""Some grids have an image a layer: see `gpu.LARGEST_GRID`."""


@dataclass(frozen=True, slots=True)
class Program:
    """
    What runs for a batch of `batch` images.

    `inputs` and `outputs` are the floats of the caller's arrays, and `arena` and `scratch`
    those of the memory that a caller does not see.
    """

    batch: int
    launches: tuple[Launch, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arena: int
    scratch: int

    @property
    def bytes(self) -> int:
        """Memory on the device for one caller at a time, without the weights."""
        return FLOAT_BYTES * (sum(self.inputs) + sum(self.outputs) + self.arena + self.scratch)

    @property
    def constants(self) -> list[Constant]:
        """Weights and tables, each once."""
        found = [a for launch in self.launches for a in launch.arguments if isinstance(a, Constant)]
        return list({id(constant.array): constant for constant in found}.values())


def make_program(plan: Plan, lowered: Sequence[Lowered], batch: int) -> Program:
    """The program of a plan's steps, lowered."""
    launches = tuple(launch for work in lowered for launch in work(batch))
    return Program(
        batch,
        launches,
        tuple(batch * _image_floats(buffer) for buffer in plan.inputs),
        tuple(batch * _image_floats(buffer) for buffer in plan.outputs),
        batch * plan.arena,
        max((launch.scratch for launch in launches), default=0),
    )


def largest_batch(plan: Plan) -> int:
    """The most images whose cells every kernel can count."""
    buffers = [buffer for step in plan.steps for buffer in (*step.x, step.y)]
    most = max((_image_floats(buffer) for buffer in buffers), default=1)
    return min(LARGEST_BATCH, LARGEST_COUNT // max(most, plan.arena, 1))


def _image_floats(buffer: Buffer) -> int:
    return prod(buffer.shape)
