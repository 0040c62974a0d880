"""NVIDIA GPUs as a target."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnndsl.backends.cuda.availability import require_precision
from cnndsl.backends.cuda.driver import Driver
from cnndsl.backends.cuda.executable import CudaExecutable
from cnndsl.backends.cuda.fingerprint import fingerprint
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.launch import Lowered
from cnndsl.backends.cuda.lowering.lower import lower_step
from cnndsl.backends.cuda.lowering.shared import Params
from cnndsl.backends.cuda.simulator import is_simulated, shared_simulator
from cnndsl.backends.profiling import Roof, StepTimer
from cnndsl.backends.protocol import Request, Weights
from cnndsl.errors import TargetError
from cnndsl.ir.bind import bound_params
from cnndsl.ir.node import Node
from cnndsl.plan.plan import COPY, Plan, Step
from cnndsl.plan.strategy import Choice
from cnndsl.types import Precision, TensorType

if TYPE_CHECKING:  # a model that is found planned needs no passes, and a simulator no device
    from cnndsl.backends.cuda.device import Device
    from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class CudaBackend:
    """Compiled kernels, launched as one graph on a device, or run by the simulator."""

    name: str = "cuda"
    precision: Precision = "float32"

    def passes(self) -> tuple[Pass, ...]:
        """All, and shortcuts are added by the filters before them."""
        # Imported here, as below: a model that is found planned needs only what runs it.
        from cnndsl.passes.pipeline import PASSES_WITH_SHORTCUTS

        return PASSES_WITH_SHORTCUTS

    def fingerprint(self) -> bytes:
        """A digest of this backend's code, of its compilers and its options."""
        return hashlib.sha256(fingerprint() + self.precision.encode()).digest()

    def choose(self, node: Node, operands: tuple[TensorType, ...]) -> Choice:
        """How to run a node. Raises `TargetError` for an operator without a kernel."""
        from cnndsl.backends.cuda.strategy import choose

        return choose(node, operands, self.precision)

    def load(self, request: Request) -> CudaExecutable:
        """
        Pack the weights, compile or load the kernels, and bring all of it to the device.

        Raises `TargetError` where there is no device that this target can use.
        """
        driver = find_driver()
        require_precision(driver.gpu.name, driver.gpu.architecture, self.precision)
        lowered = lower_plan(request.plan, request.weights, driver.gpu)
        return CudaExecutable(request.plan, lowered, driver)

    def emit(self, plan: Plan, stage: str) -> str:
        """The stage `python` or `ptx` of a plan. Raises `TargetError`."""
        from cnndsl.backends.cuda.emit import emit

        return emit(plan, stage)

    def step_timer(self, request: Request) -> StepTimer:
        """Make a plan ready to be timed. Raises `TargetError` where there is no GPU."""
        from cnndsl.backends.cuda.timing import CudaStepTimer

        driver = find_device()
        steps = [
            lower_step(step, _params(step, request.weights), driver.gpu)
            for step in request.plan.steps
        ]
        return CudaStepTimer(request.plan, steps, driver)

    def roof(self, threads: int) -> Roof:
        """Measure what the GPU's memory can do, and tell what its processors could."""
        from cnndsl.backends.cuda.timing import measure_roof

        return measure_roof(find_device())

    def described(self, step: Step) -> tuple[str, ...]:
        """A step's launches for one image, and their registers where NVIDIA's linker says them."""
        from cnndsl.backends.cuda.emit import described

        return described(step)


def find_driver() -> Driver:
    """The device of this process: the simulator where it asks for it, else the first GPU."""
    if is_simulated():
        return shared_simulator()
    # Imported here: only who has a GPU needs what drives it.
    from cnndsl.backends.cuda.device import shared_device

    return shared_device()


def find_device() -> Device:
    """The GPU of this process, which has a clock. Raises `CnnError` where there is none."""
    if is_simulated():
        raise TargetError(
            "the simulator takes no times that mean anything", code="E702", fixes=["a GPU"]
        )
    from cnndsl.backends.cuda.device import shared_device

    return shared_device()


def lower_plan(plan: Plan, weights: Weights, gpu: Gpu) -> Sequence[Lowered]:
    """The launches of all steps in order."""
    return [
        lowered for step in plan.steps for lowered in lower_step(step, _params(step, weights), gpu)
    ]


def _params(step: Step, weights: Weights) -> Params:
    """What a step computes with, by short names; what only moves memory has no parameters."""
    return {} if step.kernel == COPY else bound_params(step, step.operands, weights)
