"""The CPU as a target."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from cnndsl.backends.choosing import Considered, Placed, Tuned
from cnndsl.backends.cpu.executable import CpuExecutable
from cnndsl.backends.cpu.fingerprint import fingerprint
from cnndsl.backends.cpu.helpers import processors, shared_helpers
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.lowering.call import Field, Lowered
from cnndsl.backends.cpu.program import kernels_of
from cnndsl.backends.cpu.steps.lower import lower_step
from cnndsl.backends.cpu.steps.shared import Params
from cnndsl.backends.cpu.times import Times, kept_times
from cnndsl.backends.profiling import Roof, StepTimer
from cnndsl.backends.protocol import Request, Weights
from cnndsl.interop.pages import release
from cnndsl.ir.bind import bound_params, declared_params
from cnndsl.ir.node import Node
from cnndsl.plan.plan import COPY, ZERO_HALO, Plan, Step
from cnndsl.plan.strategy import Choice
from cnndsl.types import DenseWeights, Numerics, TensorType

if TYPE_CHECKING:  # a model that is found planned needs no passes
    from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class CpuBackend:
    """Compiled kernels, a table of calls to them, and threads of this process."""

    name: str = "cpu"
    numerics: Numerics = "fast"
    dense_weights: DenseWeights = "float32"

    @cached_property
    def times(self) -> Times:
        """What was measured on this machine, when this backend was first asked."""
        return kept_times()

    def passes(self) -> tuple[Pass, ...]:
        """All but the fusing of shortcuts, which gains nothing here."""
        # Imported here, as below: a model that is found planned needs only what runs it.
        from cnndsl.passes.pipeline import PASSES

        return PASSES

    def fingerprint(self) -> bytes:
        """A digest of the code, the compiler, the processor, the options and what was measured."""
        options = f"{self.numerics} {self.dense_weights} "
        return hashlib.sha256(fingerprint() + options.encode() + self.times.digest).digest()

    def choose(self, node: Node, operands: tuple[TensorType, ...]) -> Choice:
        """How to run a node. Raises `TargetError` for an operator without a kernel."""
        from cnndsl.backends.cpu.strategy import choose

        return choose(node, operands, self.numerics, self.dense_weights, self.times)

    def considered(self, node: Node, operands: tuple[TensorType, ...]) -> tuple[Considered, ...]:
        """All algorithms for a node, the chosen one first; none where there is no choice."""
        from cnndsl.backends.cpu.conv_choice import ConvChooser
        from cnndsl.backends.cpu.strategy import conv_work

        work = conv_work(node, operands)
        return ConvChooser(self.numerics, self.times).considered(work) if work else ()

    def tune(self, nodes: Sequence[Placed], advance: Callable[[int], None]) -> Tuned:
        """Measure, in another process, what is not known yet, and keep it for later choices."""
        from cnndsl.backends.cpu.strategy import conv_work
        from cnndsl.backends.cpu.tuning import tune, with_a_choice

        works = with_a_choice([work for node in nodes if (work := conv_work(*node))])
        missing = [work for work in works if not self.times.of(work.name)]
        if missing:
            tune(missing, advance)
        return Tuned(len(missing), len(works) - len(missing))

    def load(self, request: Request) -> CpuExecutable:
        """Pack the weights, and compile or load the kernels."""
        return CpuExecutable(
            request.plan,
            [call for step in _lowered(request) for call in step],
            threads=request.threads,
            library=shared_library(),
            helpers=shared_helpers(),
        )

    def emit(self, plan: Plan, stage: str) -> str:
        """The stage `python`, `llvm` or `asm` of a plan."""
        from cnndsl.backends.cpu.emit import emit

        return emit(plan, stage)

    def cached(self, request: Request) -> dict[str, bool]:
        """Each kernel that runs a plan, by name: whether the user's cache has it."""
        calls = [lowered(1) for step in _lowered(request) for lowered in step]
        return {kernel.name: shared_library().is_cached(kernel) for kernel in kernels_of(calls)}

    def step_timer(self, request: Request) -> StepTimer:
        """Make a plan ready to be timed."""
        from cnndsl.backends.cpu.timing import CpuStepTimer

        return CpuStepTimer(
            request.plan,
            _lowered(request),
            threads=request.threads,
            library=shared_library(),
            helpers=shared_helpers(),
        )

    def roof(self, threads: int) -> Roof:
        """Measure what that many threads can do here and now."""
        from cnndsl.backends.cpu.roof import measure_roof

        return measure_roof(threads, shared_library(), shared_helpers())


def _lowered(request: Request) -> list[list[Lowered]]:
    """
    Each step's kernel calls, in order.

    NumPy, which packs the weights, lets several threads do so side by side.
    """
    steps, threads = request.plan.steps, min(request.threads, processors())
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(partial(_lowered_step, weights=request.weights), steps))


def _lowered_step(step: Step, weights: Weights) -> list[Lowered]:
    """
    A step's kernel calls.

    Weights that it has packed into an order of its own need no memory beside that.
    """
    calls = lower_step(step, _params(step, weights))
    fields: list[Field] = [field for lowered in calls for field in lowered(1).fields]
    used = [field for field in fields if isinstance(field, np.ndarray)]
    for name in _param_names(step):
        array = weights[name]
        if not any(np.may_share_memory(array, other) for other in used):
            release(array)
    return calls


def _param_names(step: Step) -> Iterable[str]:
    """The full names of a step's parameters."""
    return () if step.kernel in (COPY, ZERO_HALO) else declared_params(step, step.operands)


def _params(step: Step, weights: Weights) -> Params:
    """What a step computes with, by short names; what only moves memory has no parameters."""
    if step.kernel in (COPY, ZERO_HALO):
        return {}
    return bound_params(step, step.operands, weights)
