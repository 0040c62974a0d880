"""
From a network to something that runs: passes, plan, target.

Each stage is kept and can be printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cnndsl.backends.protocol import Backend, Executable, Interpreter, Request, Weights, expecting
from cnndsl.errors import TargetError
from cnndsl.ir.graph import Graph
from cnndsl.ir.network import Network
from cnndsl.ir.text import format_graph
from cnndsl.passes.pipeline import PASSES, optimised
from cnndsl.plan.build import make_plan
from cnndsl.plan.plan import Plan
from cnndsl.plan.text import format_plan
from cnndsl.targets import find_backend
from cnndsl.types import USUAL, Options

STAGES = ("graph", "plan", "python", "llvm", "asm", "ptx")


@dataclass(frozen=True)
class Compilation:
    """A network on its way to a target, with every stage."""

    network: Network
    target: str = "cpu"
    options: Options = USUAL

    @cached_property
    def backend(self) -> Backend | Interpreter:
        """The target."""
        return find_backend(self.target, self.options)

    @cached_property
    def graph(self) -> Graph:
        """The graph after all passes."""
        backend = self.backend
        passes = backend.passes() if isinstance(backend, Backend) else PASSES
        return optimised(self.network.ir, passes)

    @cached_property
    def plan(self) -> Plan:
        """The plan. Raises `TargetError` for a target that makes none."""
        backend = self._planning_backend()
        return make_plan(self.graph, backend.choose)

    def executable(self, weights: Weights, threads: int) -> Executable:
        """Something that runs, with the weights in it."""
        backend = self.backend
        if isinstance(backend, Backend):
            with expecting(backend):
                return backend.load(Request(self.plan, weights, threads))
        return backend.interpret(self.network, weights)

    def emit(self, stage: str) -> str:
        """A stage as text: one of `STAGES`. Raises `TargetError`."""
        if stage == "graph":
            return format_graph(self.graph)
        backend = self._planning_backend()
        if stage == "plan":
            return format_plan(self.plan)
        if stage in STAGES:
            return backend.emit(self.plan, stage)
        raise TargetError(
            f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}", code="E702"
        )

    def _planning_backend(self) -> Backend:
        backend = self.backend
        if isinstance(backend, Backend):
            return backend
        raise TargetError(
            f"the target {self.target} evaluates the network as it stands: it has no plan",
            code="E702",
            fixes=["--emit graph, or the target cpu"],
        )
