"""The CPU as a target."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cnndsl.backends.cpu.executable import CpuExecutable, LoweredPlan
from cnndsl.backends.cpu.fingerprint import fingerprint
from cnndsl.backends.cpu.helpers import shared_helpers
from cnndsl.backends.cpu.kept_programs import KeptPrograms, find_program
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.program import EXECUTOR, Programs, kernels_of
from cnndsl.backends.cpu.times import Times, kept_times
from cnndsl.backends.protocol import Request, Weights
from cnndsl.types import USUAL, Options

if TYPE_CHECKING:  # a model whose program is found whole needs none of it
    from cnndsl.backends.choosing import Considered, Placed, Tuned
    from cnndsl.backends.cpu.lowering.call import Lowered
    from cnndsl.backends.profiling import Roof, StepTimer
    from cnndsl.ir.node import Node
    from cnndsl.passes.base import Pass
    from cnndsl.plan.plan import Plan
    from cnndsl.plan.strategy import Choice
    from cnndsl.types import TensorType


@dataclass(frozen=True)
class CpuBackend:
    """Compiled kernels, a table of calls to them, and threads of this process."""

    options: Options = USUAL
    name: str = "cpu"

    @cached_property
    def times(self) -> Times:
        """What was measured on this machine, when this backend was first asked."""
        return kept_times()

    def passes(self) -> tuple[Pass, ...]:
        """All, and shortcuts are added by the filters before them."""
        # Imported here, as below: a model whose program is found needs only what runs it.
        from cnndsl.passes.pipeline import PASSES_WITH_SHORTCUTS

        return PASSES_WITH_SHORTCUTS

    def fingerprint(self) -> bytes:
        """A digest of the code, the compiler, the processor, the options and what was measured."""
        options = str(self.options).encode()
        return hashlib.sha256(fingerprint() + options + self.times.digest).digest()

    def choose(self, node: Node, operands: tuple[TensorType, ...]) -> Choice:
        """How to run a node. Raises `TargetError` for an operator without a kernel."""
        from cnndsl.backends.cpu.strategy import choose

        return choose(node, operands, self.options, self.times)

    def considered(self, node: Node, operands: tuple[TensorType, ...]) -> tuple[Considered, ...]:
        """All algorithms for a node, the chosen one first; none where there is no choice."""
        from cnndsl.backends.cpu.conv_choice import ConvChooser
        from cnndsl.backends.cpu.strategy import conv_work

        work = conv_work(node, operands)
        return ConvChooser(self.options, self.times).considered(work) if work else ()

    def tune(self, nodes: Sequence[Placed], advance: Callable[[int], None]) -> Tuned:
        """Measure, in another process, what is not known yet, and keep it for later choices."""
        from cnndsl.backends.choosing import Tuned
        from cnndsl.backends.cpu.strategy import conv_work
        from cnndsl.backends.cpu.tuning import tune, with_a_choice

        works = with_a_choice([work for node in nodes if (work := conv_work(*node))])
        batch = self.options.batch
        missing = [work for work in works if not self.times.of(work.name, batch)]
        if missing:
            tune(missing, batch, advance)
        return Tuned(len(missing), len(works) - len(missing))

    def expecting(self) -> AbstractContextManager[None]:
        """Have other processes get ready to compile, where no network has run before."""
        return shared_library().expecting(EXECUTOR)

    def load(self, request: Request) -> CpuExecutable:
        """Pack the weights, and compile or load the kernels."""
        return _executable(_programs(request), request.threads)

    def restore(
        self, key: bytes, weights: Weights, threads: int, request: Callable[[], Request]
    ) -> tuple[CpuExecutable, Any] | None:
        """What was kept under `key`, and its note. What was not kept is lowered when asked for."""
        found = find_program(key, weights)
        if found is None:
            return None
        program, note = found
        programs = KeptPrograms(program, lambda: _programs(request()))
        return _executable(programs, threads), note

    def emit(self, plan: Plan, stage: str) -> str:
        """The stage `python`, `llvm` or `asm` of a plan."""
        from cnndsl.backends.cpu.emit import emit

        return emit(plan, stage)

    def cached(self, request: Request) -> dict[str, bool]:
        """Each kernel that runs a plan, by name: whether the user's cache has it."""
        from cnndsl.backends.cpu.lowered import lowered_steps

        calls = [lowered(1) for step in lowered_steps(request) for lowered in step]
        return {kernel.name: shared_library().is_cached(kernel) for kernel in kernels_of(calls)}

    def step_timer(self, request: Request) -> StepTimer:
        """Make a plan ready to be timed."""
        from cnndsl.backends.cpu.lowered import lowered_steps
        from cnndsl.backends.cpu.timing import CpuStepTimer

        return CpuStepTimer(
            request.plan,
            list(lowered_steps(request)),
            threads=request.threads,
            library=shared_library(),
            helpers=shared_helpers(),
        )

    def roof(self, threads: int) -> Roof:
        """Measure what that many threads can do here and now."""
        from cnndsl.backends.cpu.roof import measure_roof

        return measure_roof(threads, shared_library(), shared_helpers())


def _programs(request: Request) -> Programs:
    """A plan's programs, its weights packed."""
    from cnndsl.backends.cpu.lowered import lowered_steps

    library = shared_library()
    library.announce([EXECUTOR])
    calls: list[Lowered] = []
    for step in lowered_steps(request):
        library.announce(kernels_of([lowered(1) for lowered in step]))
        calls += step
    return LoweredPlan(request.plan, calls)


def _executable(programs: Programs, threads: int) -> CpuExecutable:
    return CpuExecutable(
        programs,
        threads=threads,
        library=shared_library(),
        helpers=shared_helpers(),
        in_pieces=True,
    )
